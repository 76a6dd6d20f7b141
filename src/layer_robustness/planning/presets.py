"""Presets by name: config/presets/quick.yaml, paper.yaml, ..."""

from collections.abc import Mapping
from pathlib import Path

from layer_robustness.planning.refusal import refuse
from layer_robustness.runtime.errors import InputError

DEFAULT = "quick"


def preset_file(given: Mapping, folder: Path) -> Path | None:
    """Return the preset's file; None for a preset of the user's own, with recipes of its own.

    `given` is what the user gave by --config and --configfile. Raises `InputError` if there is no
    such preset, or if recipes would change what its name stands for.
    """
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    name = given.get("preset", DEFAULT)
    if "training" not in given:
        if name not in known:
            own = "a name of your own in a --configfile=FILE that has recipes (training)"
            refuse("preset", f"is {name!r}", f"{', '.join(known)}, or {own}")
        return folder / f"{name}.yaml"
    if name in known:
        raise InputError(
            f"config key training gives recipes of your own, but preset is {name!r}, which has "
            "others: add a preset name of your own, such as preset: mine"
        )
    return None
