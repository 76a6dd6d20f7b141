"""Captions of figures and tables, in Markdown, and what they were computed from."""

from collections.abc import Iterable
from fractions import Fraction

from layer_robustness.experiments import paths
from layer_robustness.experiments.results import Results
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.names import Sources, labelled
from layer_robustness.tables.registry import Table


def heading(target: Figure | Table, sources: Sources) -> str:
    """Return number and title: "**Figure 4.** Robustness of ... on CIFAR10 (digits)."."""
    kind = target.name.removesuffix(str(target.number)).capitalize()
    return f"**{kind} {target.number}.** {labelled(target.title, sources)}."


def caption(target: Figure | Table, small_print: str, sources: Sources) -> str:
    """Return number, title and caption, and below how it was computed."""
    return f"{heading(target, sources)} {labelled(target.caption, sources)}\n\n{small_print}\n"


def small_print(target: Figure | Table, preset: str, results: Results) -> str:
    """Say in a line what it was computed from: preset, data, scale, seeds and draws."""
    if not target.networks:
        return "drawn from the blocks of ResNet50 as they are built"
    ran = [network for network in target.networks if results.ran([network])]
    if not ran:
        return f"{preset} preset"
    setups = [results.setups[str(network)] for network in ran]
    data = each((f"{n.dataset} = {s.data}" for n, s in zip(ran, setups, strict=True)), ", ")
    width = each(Fraction(setup.width).limit_denominator(1000) for setup in setups)
    scale = data if width == "1" else f"{data}, width {width}"
    epochs, seeds = each(setup.epochs for setup in setups), each(setup.seeds for setup in setups)
    origin = f"{preset} preset, {scale}, {epochs} epochs; seeds: {seeds}"
    if target.kind == "adversarial":
        return f"{origin}; {attacks(results.frames[paths.ADVERSARIAL].iloc[0].to_dict())}"
    if target.kind in ("heatmap", "lines"):
        origin += f", draws of rerand: {each(setup.draws for setup in setups)} each"
    return f"{origin}; means are shown"


def each(values: Iterable[object], between: str = "/") -> str:
    """Join values, each once."""
    return between.join(dict.fromkeys(map(str, values)))


def attacks(settings: dict) -> str:
    """Say how strong the attacks are; the settings stand in each row of adversarial.csv."""
    per = "batch" if settings["choice"] == "batch" else "example"
    seen = "at each step" if settings["attack_choice"] == "fresh" else "for a whole attack"
    return (
        f"attacks on {settings['test_examples']} test examples, eps {settings['eps']:g}/255; PGD: "
        f"{settings['steps']} steps of {settings['step']:g}/255 from "
        f"{'a random start' if settings['start'] == 'random' else 'the image'}; blocks are chosen "
        f"for each {per}, and {seen} as an attack sees them; EoT: gradients averaged over "
        f"{settings['eot_draws']} choices, without which a random classifier looks more robust "
        "than it is (a baseline has nothing to average over: its PGD + EoT is PGD); mean and "
        f"deviation of {settings['repetitions']} repetitions"
    )
