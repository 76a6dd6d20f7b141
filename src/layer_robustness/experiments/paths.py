"""Where everything lies: the one place that knows the layout of results/ and paper_figures/.

results/data/{source}.safetensors             a prepared data set; a .json summary beside it
results/{preset}/{job}/                       what one job trained and measured, see `sweeps`
    checkpoints.json                          the manifest: what was trained, and how
    checkpoints/{model}/seed0/epoch0.safetensors ..., rerand0.safetensors ...
    training.csv, probe.csv, joint.csv, distances.csv, adversarial.csv
    probe.missed.safetensors, joint.missed.safetensors    which images each row gets wrong, as bits
    resume/{model}/seed0/                     what a stopped step continues from; no rule's output
results/{preset}/beyond/{entry}/               what was probed for an entry of the config's `beyond`
    probe.csv, critical.txt, heatmap.pdf, heatmap.png, resume/probe.safetensors
paper_figures/{preset}/figure1.pdf ...        what is shown
"""

from pathlib import Path

from layer_robustness.experiments.names import Experiment

DATA = "results/data"
MANIFEST = "checkpoints.json"
TRAINING, PROBE, JOINT = "training.csv", "probe.csv", "joint.csv"
DISTANCES, ADVERSARIAL = "distances.csv", "adversarial.csv"


def data(source: str) -> str:
    """Where a prepared data set is."""
    return f"{DATA}/{source}.safetensors"


def summary(source: str) -> str:
    """Where its summary is."""
    return f"{DATA}/{source}.json"


def results(preset: str) -> str:
    """Folder of a preset's results."""
    return f"results/{preset}"


def result(preset: str, job: str, file: str) -> str:
    """Where a file of one job is; `file` is MANIFEST, PROBE, ..."""
    return f"{results(preset)}/{job}/{file}"


def shown(preset: str) -> str:
    """Folder of a preset's figures, tables and pages."""
    return f"paper_figures/{preset}"


def checkpoints(manifest: Path) -> Path:
    """Folder of all weights that a manifest names."""
    return manifest.parent / "checkpoints"


def weights(manifest: Path, experiment: Experiment, name: str) -> Path:
    """Where the weights `epoch0`, `rerand0`, ... of an experiment are, beside its manifest."""
    return in_folder(checkpoints(manifest), experiment) / f"{name}.safetensors"


def resume(manifest: Path, experiment: Experiment, name: str) -> Path:
    """Where a step saves an experiment's state, to continue from when it was stopped."""
    return in_folder(manifest.parent / "resume", experiment) / f"{name}.safetensors"


def in_folder(folder: Path, experiment: Experiment) -> Path:
    """Return an experiment's own folder in one that several share."""
    return folder / experiment.network.model / f"seed{experiment.seed}"
