"""Which code a result was computed with."""

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]

# The modules that a step's numbers depend on. All others store, schedule, log or interrupt.
NETWORKS = (
    *("experiments/names.py", "experiments/architectures.py", "experiments/groups.py"),
    *("experiments/recipe.py", "experiments/options.py", "data/dataset.py", "models"),
    *("runtime/precision.py", "runtime/seeding.py"),
)
PROBING = (
    *(*NETWORKS, "experiments/sources.py", "probing/cut.py", "probing/engine.py"),
    *("probing/measures.py", "probing/replay.py", "probing/rows.py", "probing/sources.py"),
    "probing/tensors.py",
)
STEPS = {
    "train": (
        *(*NETWORKS, "data/batches.py", "data/imagefolder.py", "training/loop.py"),
        "runtime/ranks.py",
    ),
    "probe": PROBING,
    "network": (*PROBING, "networks", "data/imagefolder.py"),
    "attack": (*NETWORKS, "attacks"),
}


@cache
def code_digest(step: str) -> str:
    """SHA-256 of the source code that can change the numbers of a step, a key of `STEPS`.

    Call it first when a command starts: if files are edited later, they are not what runs.
    """
    sha = hashlib.sha256()
    for name in STEPS[step]:
        path = PACKAGE / name
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            sha.update(file.read_bytes())
    return sha.hexdigest()
