"""The explorer's page: one file that holds its numbers and all code it needs."""

from functools import cache
from pathlib import Path

import jinja2
import numpy as np
import seaborn as sns
from plotly.offline import get_plotlyjs

from layer_robustness.figures import colours

COLOURS = 17  # of a scale; plotly goes straight from one to the next


def render(data: dict) -> str:
    """Return the page of these numbers, in HTML; `data` is of builtin types, without NaN."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    data = data | {
        "scales": {"values": scale(colours.VALUES), "differences": scale(colours.DIFFERENCES)},
        "joint_colour": colours.JOINT_GROUP,
    }
    return environment.get_template("page.html").render(data=data, plotly=get_plotlyjs())


@cache
def scale(palette: str) -> list[tuple[float, str]]:
    """Return a colour map of the figures in plotly's form."""
    places = np.linspace(0, 1, COLOURS).tolist()
    return list(zip(places, sns.color_palette(palette, COLOURS).as_hex(), strict=True))
