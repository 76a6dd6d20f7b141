"""The colours of what is measured, for figures, the comparison's pictures and the explorer."""

# Names of seaborn's colour maps.
VALUES = "rocket"
DIFFERENCES = "vlag"

JOINT_GROUP = "#1f4fd8"  # names of layers that are reset together
NOT_COMPARED = "0.92"  # behind the hatching of cells that have no difference
