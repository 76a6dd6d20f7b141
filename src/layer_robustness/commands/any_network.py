"""layer-robustness: which units of a trained classifier can be reset without harm?"""

import argparse
import sys
from functools import partial
from pathlib import Path

from timm.data.config import resolve_data_config

from layer_robustness.experiments.options import read_words
from layer_robustness.experiments.sources import NAMES, needs_initial
from layer_robustness.models.named import network_of
from layer_robustness.networks import stored
from layer_robustness.networks.inputs import folder_batches
from layer_robustness.networks.layout import LAYOUTS
from layer_robustness.networks.load import read_state, trained
from layer_robustness.networks.pace import AUTO
from layer_robustness.networks.probe import probe_network
from layer_robustness.networks.result import Result
from layer_robustness.probing.cut import cut
from layer_robustness.runtime.code import code_digest
from layer_robustness.runtime.errors import InputError, exit_with_one_line
from layer_robustness.runtime.interruption import note_signals
from layer_robustness.storage import rows
from layer_robustness.storage.files import replacing

# What a manifest knows.
OF_MODEL = ("options", "checkpoint", "pretrained", "initial", "num_classes", "class_map")
OF_MODEL += ("input_size", "mean", "std", "interpolation", "crop_pct")


def parser() -> argparse.ArgumentParser:
    """Return the parser; options that timm's validate.py has too are called as there."""
    top = argparse.ArgumentParser(prog="layer-robustness", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    probe = commands.add_parser("probe", help="reset each unit of a network, and test it")
    add = probe.add_argument
    which = probe.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--model", help="a name of timm's, torchvision:NAME, or module:function that builds one"
    )
    which.add_argument(
        "--manifest", type=Path, help="checkpoints.json of a network that the workflow trained"
    )
    add("--experiment", default="", help="one of the manifest's; its first without this")
    add(
        "--data",
        type=Path,
        required=True,
        help="a folder with a folder of images for each class; with --manifest the data set that "
        "was trained on (.safetensors)",
    )
    add(
        "--output", type=Path, required=True, help="the folder for probe.csv, heatmap, critical.txt"
    )
    add("--units", nargs="+", default=["block"], help="stage, block, leaf or patterns of names")
    add("--sources", nargs="+", help=f"of {NAMES}, and kept epochs of a manifest (epoch1, ...)")
    add("--draws", type=int, default=1, help="of each source that has to do with chance")
    add("--initial", type=Path, help="weights before training, for reinit and interpolate")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--memory", type=float, default=2, help="for activations, in GB")
    add("--layout", choices=(AUTO, *LAYOUTS), default=AUTO, help="of convolutions in memory")
    add("--workers", type=int, default=0, help="processes that decode images")
    weights = probe.add_mutually_exclusive_group()
    weights.add_argument(
        "--checkpoint", type=Path, help="trained weights: .safetensors, or of torch.save"
    )
    weights.add_argument(
        "--pretrained", action="store_true", help="timm downloads its own, as without --checkpoint"
    )
    add("--options", nargs="+", help="of its constructor, such as img_size=64")
    add("--num-classes", type=int, help="outputs of the network")
    add("--class-map", default="", help="file with the classes' names in the order of the outputs")
    add("--num-samples", type=int, help="so many images, evenly over all")
    add("--input-size", type=int, nargs=3, metavar="N", help="channels, height, width")
    add("--mean", type=float, nargs="+", help="of each channel")
    add("--std", type=float, nargs="+", help="of each channel")
    add("--interpolation", help="bicubic, bilinear, ...")
    add("--crop-pct", type=float, help="part of the image that the centre crop keeps")
    return top


def run(arguments: argparse.Namespace) -> None:
    """Probe the network that the arguments name, and write what was found."""
    code_digest("network")
    try:
        result = probed(arguments)
    except stored.DidNotTrain as told:
        print(told, file=sys.stderr)
        result = told.result(arguments.units, arguments.sources, arguments.draws)
    rows.write(arguments.output / "probe.csv", result.frame.to_dict("records"))
    result.heatmap(arguments.output / "heatmap")
    with replacing(arguments.output / "critical.txt") as temporary:
        temporary.write_text(result.summary())
    print(result.summary(), end="")


def probed(arguments: argparse.Namespace) -> Result:
    """Probe the network that the arguments name; say of what units, and how."""
    given = of_manifest(arguments) if arguments.manifest else of_name(arguments)
    units = list(cut(given["model"], arguments.units).units)
    print(f"{len(units)} units: {', '.join(units)}", file=sys.stderr)
    note_signals()  # the probe saves what it has, and stops between its resets
    result = probe_network(
        **given,
        units=arguments.units,
        sources=arguments.sources,
        draws=arguments.draws,
        device=arguments.device,
        memory_gb=arguments.memory,
        keep=arguments.output / "resume" / "probe.safetensors",
        layout=arguments.layout,
    )
    print(f"weights {result.layout}, {result.micro_batch} images at once", file=sys.stderr)
    return result


def of_name(arguments: argparse.Namespace) -> dict:
    """Return what `probe_network` takes of a network by its name, with weights from files."""
    options = read_words(arguments.options or ())
    options |= {"num_classes": arguments.num_classes} if arguments.num_classes else {}
    network = trained(arguments.model, options, arguments.checkpoint)
    try:
        config = resolve_data_config(vars(arguments), model=network)
    except AssertionError as error:
        raise InputError(
            "--mean and --std: expected one number, or one for each channel"
        ) from error
    sources = arguments.sources or ["reinit"]
    if arguments.initial and not any(map(needs_initial, sources)):
        raise InputError(
            "--initial is given, but no source needs it: add reinit or interpolate:a to --sources"
        )
    return {
        "model": network,
        "data": folder_batches(
            arguments.data, config, arguments.class_map, arguments.num_samples, arguments.workers
        ),
        "initial": read_state(arguments.initial) if arguments.initial else None,
        "fresh": partial(network_of, arguments.model, options),
    }


def of_manifest(arguments: argparse.Namespace) -> dict:
    """Return what `probe_network` takes of a network that the workflow trained."""
    if given := [name for name in OF_MODEL if getattr(arguments, name)]:
        option = given[0].replace("_", "-")
        raise InputError(f"--{option} is for --model: with --manifest, leave it out")
    return stored.read(
        arguments.manifest, arguments.data, arguments.experiment, arguments.num_samples
    )


def main() -> None:
    """Run the command line."""
    exit_with_one_line(lambda: run(parser().parse_args()))


if __name__ == "__main__":
    main()
