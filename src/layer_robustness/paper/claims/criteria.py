"""The paper's claims, and criteria on levels for networks that were trained as the paper's were.

This file is to be reviewed as a whole. A claim has parts; a part is one number, measured on one
network or on some that belong together (a case), with a bound. The bounds are round numbers that
were chosen so that the paper's own values keep to them (tested; docs/comparison.md says by how
much): they ask whether a repetition agrees with the paper, and are no tests that the paper could
have failed. Networks of other data, width or epochs are judged by `patterns`.

- A part is *supported* where the mean of its number keeps to the bound in every case that could be
  measured (where it says so: in at least one), *not supported* where it does not, and *not tested
  here* where none could be measured. It is *fragile* where moving the bound by a quarter of itself
  would flip the verdict.
- A claim's verdict is the worst of its parts'. How many bounds are kept is always said.
- A seed whose full model did not learn (paper/criticality.py), or whose training diverged, says
  nothing and is left out.
- A share of a cost or a gain is tested only where that cost or gain is above 0 (`evidence.share`).

Costs are relative: 0 is the full model's test error, 1 is chance (paper/criticality.py, which also
says why a layer is critical over 0.2). So the same criteria serve a network that errs at 0.02 and
one that errs at 0.4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import Literal

from layer_robustness.experiments.groups import downsampling, identity_skips
from layer_robustness.experiments.manifest import RERAND
from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.experiments.paths import ADVERSARIAL, DISTANCES, JOINT, PROBE, TRAINING
from layer_robustness.experiments.sweeps import WIDTHS
from layer_robustness.paper.claims import adversarial, measures
from layer_robustness.paper.claims.evidence import Sample
from layer_robustness.paper.claims.measures import INITIAL
from layer_robustness.paper.criticality import CRITICAL

# Costs, beside `CRITICAL`
HALF_WAY = 0.5
NEARLY_ALL = 0.9
SLIGHT = 0.05

MOST = 0.75  # of blocks or layers
MANY = 0.25


@dataclass(frozen=True)
class Case:
    """What one number is measured on: networks, and the result files of them that it needs."""

    networks: tuple[Network, ...]
    needs: tuple[tuple[Network, str], ...]

    @property
    def name(self) -> str:
        """Names of the networks, the first and the last where there are many."""
        names = list(map(str, self.networks))
        return ", ".join(names) if len(names) <= 3 else f"{names[0]} to {names[-1]}"


@dataclass(frozen=True)
class Part:
    """One number with a bound.

    what
        The number, in words.
    measure
        Takes results and the networks of a case.
    relation
        "within" holds for numbers from `-bound` to `bound`.
    every
        Whether all cases have to keep to the bound, or at least one.
    """

    what: str
    measure: Callable[..., Sample]
    relation: Literal["at least", "at most", "within"]
    bound: float
    cases: tuple[Case, ...]
    every: bool = True

    @property
    def criterion(self) -> str:
        """The criterion in words."""
        where = "" if self.every else ", for at least one network"
        bound = f"{self.relation} {self.bound:g}"
        if self.relation == "within":
            bound = f"at most {self.bound:g} either way"
        return f"{self.what} is {bound}{where}"

    def kept(self, factor: float = 1) -> tuple[float, float]:
        """Return the lowest and the highest number that keep to the bound, or to one moved."""
        bound = factor * self.bound
        lowest = {"at least": bound, "at most": -inf, "within": -bound}[self.relation]
        return lowest, inf if self.relation == "at least" else bound

    def holds(self, value: float, factor: float = 1) -> bool:
        """Whether a number keeps to the bound, or to one moved by a factor."""
        lowest, highest = self.kept(factor)
        return bool(lowest <= value <= highest)  # numpy's own truth values are written as such


@dataclass(frozen=True)
class Claim:
    """A claim: its number in resources/paper/README.md, our words, where the paper shows it."""

    number: int
    text: str
    shown_in: str
    parts: tuple[Part, ...]

    @property
    def needs(self) -> tuple[tuple[Network, str], ...]:
        """The results it is judged by: networks, each with the name of a result file."""
        cases = chain.from_iterable(part.cases for part in self.parts)
        return tuple(dict.fromkeys(chain.from_iterable(case.needs for case in cases)))

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks of all cases, each once."""
        return tuple(dict.fromkeys(network for network, _ in self.needs))


def each(names: list[str], *files: str) -> tuple[Case, ...]:
    """Make a case of each network, all of which need the same files."""
    networks = map(parse_network, names)
    return tuple(Case((n,), tuple((n, file) for file in files)) for n in networks)


def together(names: list[str]) -> Case:
    """Make one case of networks that are all probed."""
    networks = tuple(map(parse_network, names))
    return Case(networks, tuple((network, PROBE) for network in networks))


def widths(dataset: str, depth: int) -> Case:
    """Make a case of the FCNs of one depth, narrow to wide."""
    return together([f"{dataset}/fcn{depth}x{width}" for width in WIDTHS])


def treated(dataset: str, model: str, *treatments: str, files: tuple[str, ...]) -> Case:
    """Make a case of a network, of which `files` are needed, and others in its place."""
    plain = parse_network(f"{dataset}/{model}")
    # Without these blocks all depths are the same network.
    stands_for = {"frozen": f"{model}+frozen", "removed": "resnet50+removed"}
    others = tuple(parse_network(f"{dataset}/{stands_for[name]}") for name in treatments)
    needs = tuple((plain, file) for file in files)
    return Case((plain, *others), (*needs, *((other, TRAINING) for other in others)))


FCNS = ["mnist/fcn3x256", "mnist/fcn5x256"]
VGGS = [f"cifar10/vgg{depth}" for depth in (11, 13, 16, 19)]
ON_CIFAR10 = [f"cifar10/resnet{depth}" for depth in (18, 50, 101, 152)]
RESNETS = [*ON_CIFAR10, *(name.replace("cifar10", "imagenet") for name in ON_CIFAR10)]
WITH_DISTANCES = ["cifar10/vgg16"]
WITH_DISTANCES += [f"{d}/resnet50{v}" for d in ("cifar10", "imagenet") for v in ("", "+wd+bn")]
SWAPPED = tuple(
    Case((network,), ((network, ADVERSARIAL),))
    for network in (Network("cifar10", "resnet4^2"), Network("cifar10", "resnet4^4"))
)

CLAIMS = (
    Claim(
        1,
        "Re-randomizing any layer of an FCN or a VGG brings the test error to chance.",
        "Figures 1 and 3",
        tuple(
            part
            for kind, names in (("FCN", FCNS), ("VGG", VGGS))
            for part in (
                Part(
                    f"{kind}, re-randomized: the lowest cost of a layer",
                    measures.lowest(RERAND, measures.every),
                    "at least",
                    HALF_WAY,
                    each(names, PROBE),
                ),
                Part(
                    f"{kind}, re-randomized: the mean cost over layers",
                    measures.mean_of_all_rerandomized,
                    "at least",
                    NEARLY_ALL,
                    each(names, PROBE),
                ),
            )
        ),
    ),
    Claim(
        2,
        "In FCN 3x256 on MNIST layer1 is critical to re-initialization, the others are robust.",
        "Figure 1",
        (
            Part(
                "re-initialized to 0: the cost of layer1",
                measures.lowest(INITIAL, measures.named("layer1")),
                "at least",
                CRITICAL,
                each(["mnist/fcn3x256"], PROBE),
            ),
            Part(
                "re-initialized to 0: the highest cost of another layer",
                measures.highest(INITIAL, measures.upper),
                "at most",
                CRITICAL,
                each(["mnist/fcn3x256"], PROBE),
            ),
        ),
    ),
    Claim(
        3,
        "The wider an FCN, the more robust are its upper layers; less so on CIFAR10 than on MNIST.",
        "Figure 2",
        (
            Part(
                "rank correlation of width and mean cost of re-initializing an upper layer",
                measures.trend,
                "at most",
                -0.8,
                tuple(widths(d, depth) for d in ("mnist", "cifar10") for depth in (3, 5)),
            ),
            Part(
                "that cost at width 512, as a share of the one at width 16",
                measures.widest_to_narrowest,
                "at most",
                0.5,
                tuple(
                    together([f"{d}/fcn{depth}x{width}" for width in (16, 512)])
                    for d in ("mnist", "cifar10")
                    for depth in (3, 5)
                ),
            ),
            Part(
                "that cost at width 512 on CIFAR10 beyond the one on MNIST",
                measures.extra_cost,
                "at least",
                SLIGHT,
                tuple(
                    together([f"cifar10/fcn{depth}x512", f"mnist/fcn{depth}x512"])
                    for depth in (3, 5)
                ),
            ),
        ),
    ),
    Claim(
        4,
        "In a VGG the lower convolutions are critical to re-initialization; the upper ones, fc1, "
        "fc2 and final_linear are robust.",
        "Figure 3",
        (
            Part(
                "re-initialized to 0: the lowest cost of a convolution of stages 1 and 2",
                measures.lowest(INITIAL, measures.named("stage1", "stage2")),
                "at least",
                CRITICAL,
                each(VGGS, PROBE),
            ),
            Part(
                "re-initialized to 0: the highest cost of a convolution of stage 5, fc1, fc2 or "
                "final_linear",
                measures.highest(INITIAL, measures.named("stage5", "fc1", "fc2", "final_linear")),
                "at most",
                CRITICAL,
                each(VGGS, PROBE),
            ),
        ),
    ),
    Claim(
        5,
        "In a ResNet stage0 and the blocks with a downsampling skip are critical, those with an "
        "identity skip robust, to re-randomization too; on CIFAR10 final_linear is robust to "
        "re-initialization only.",
        "Figures 4 and 5",
        (
            Part(
                "re-initialized to 0: the cost of stage0",
                measures.lowest(INITIAL, measures.named("stage0")),
                "at least",
                CRITICAL,
                each(RESNETS, PROBE),
            ),
            Part(
                "re-initialized to 0: the lowest cost of a downsampling block",
                measures.lowest(INITIAL, downsampling),
                "at least",
                CRITICAL,
                each(RESNETS, PROBE),
            ),
            Part(
                "re-initialized to 0: the share of identity-skip blocks that are robust",
                measures.share_robust(INITIAL, identity_skips),
                "at least",
                MOST,
                each(RESNETS, PROBE),
            ),
            Part(
                "re-randomized: the share of identity-skip blocks that are robust",
                measures.share_robust(RERAND, identity_skips),
                "at least",
                MOST,
                each(RESNETS, PROBE),
            ),
            Part(
                "CIFAR10, re-initialized to 0: the cost of final_linear",
                measures.highest(INITIAL, measures.named("final_linear")),
                "at most",
                CRITICAL,
                each(ON_CIFAR10, PROBE),
            ),
            Part(
                "CIFAR10, re-randomized: the cost of final_linear",
                measures.lowest(RERAND, measures.named("final_linear")),
                "at least",
                CRITICAL,
                each(ON_CIFAR10, PROBE),
            ),
        ),
    ),
    Claim(
        6,
        "On ImageNet more blocks of the smaller ResNets are critical than on CIFAR10.",
        "Figures 4 and 5",
        (
            Part(
                "re-initialized to 0: the number of critical identity-skip blocks on ImageNet "
                "beyond that on CIFAR10",
                measures.more_critical,
                "at least",
                1,
                tuple(
                    together([f"{dataset}/{model}" for dataset in ("imagenet", "cifar10")])
                    for model in ("resnet18", "resnet50")
                ),
            ),
        ),
    ),
    Claim(
        7,
        "Layers that are robust one by one are not robust jointly; every second one jointly is far "
        "more robust than all but the first (of each stage).",
        "Figures 6, 8, 9 and 10",
        (
            Part(
                "all but the first, re-initialized to 0 one by one: the share that is robust",
                measures.share_robust(INITIAL, measures.all_but_first),
                "at least",
                MOST,
                each(["mnist/fcn5x256", *ON_CIFAR10], PROBE),
            ),
            Part(
                "all but the first, re-initialized to 0 jointly: the cost",
                measures.jointly,
                "at least",
                CRITICAL,
                each(["mnist/fcn5x256", *ON_CIFAR10], JOINT),
            ),
            Part(
                "every second, re-initialized to 0 jointly: the cost as a share of that of all but "
                "the first",
                measures.every_second_to_all,
                "at most",
                0.5,
                each(["mnist/fcn5x256", *ON_CIFAR10[1:]], JOINT),
            ),
        ),
    ),
    Claim(
        8,
        "Residual blocks frozen in training cost less than re-initialized jointly; removing them "
        "costs about as much as freezing on CIFAR10, far more on ImageNet (ResNet101 and 152).",
        "Table 1 and Figure 9",
        (
            Part(
                "CIFAR10: the cost of joint re-initialization to 0 beyond that of freezing",
                measures.joint_beyond_frozen,
                "at least",
                CRITICAL,
                tuple(
                    treated("cifar10", name, "frozen", files=(TRAINING, JOINT))
                    for name in ("resnet50", "resnet101", "resnet152")
                ),
            ),
            Part(
                "CIFAR10: the cost of removing beyond that of freezing",
                measures.removed_beyond_frozen,
                "within",
                SLIGHT,
                tuple(
                    treated("cifar10", name, "frozen", "removed", files=(TRAINING,))
                    for name in ("resnet50", "resnet101", "resnet152")
                ),
            ),
            Part(
                "ImageNet: the cost of removing beyond that of freezing",
                measures.removed_beyond_frozen,
                "at least",
                SLIGHT,
                tuple(
                    treated("imagenet", name, "frozen", "removed", files=(TRAINING,))
                    for name in ("resnet101", "resnet152")
                ),
            ),
        ),
    ),
    Claim(
        9,
        "Distance from initialization does not explain robustness.",
        "Figures 1, 14, 15 and 16",
        # One network where a distance fails is enough for it not to be an explanation. FCN 3x256
        # has four layers, too few for a rank correlation.
        (
            Part(
                "rank correlation over layers of the 2-norm distance after training and the cost "
                "of re-initialization to 0",
                measures.distance_correlation("dist_l2"),
                "at most",
                0.5,
                each(WITH_DISTANCES, PROBE, DISTANCES),
                every=False,
            ),
            Part(
                "rank correlation over layers of the infinity-norm distance after training and the "
                "cost of re-initialization to 0",
                measures.distance_correlation("dist_linf"),
                "at most",
                0.5,
                each(WITH_DISTANCES, PROBE, DISTANCES),
                every=False,
            ),
        ),
    ),
    Claim(
        10,
        "With weight decay and batch normalization, checkpoint 1 can be worse to return to than "
        "checkpoint 0.",
        "Figures 12, 13, 15 and 16",
        (
            Part(
                f"the share of layers that cost over {CRITICAL} more at checkpoint 1 than at 0",
                measures.worse_later,
                "at least",
                MANY,
                each([name for name in WITH_DISTANCES if name.endswith("+wd+bn")], PROBE),
                every=False,
            ),
        ),
    ),
    Claim(
        11,
        "A classifier that swaps residual blocks at random loses little clean accuracy, gains much "
        "against FGSM and a little against PGD.",
        "Table 2",
        (
            Part(
                "the most clean accuracy that is lost",
                adversarial.clean_loss,
                "at most",
                0.05,
                SWAPPED,
            ),
            Part(
                "the least accuracy that is gained against FGSM",
                adversarial.fgsm_gain,
                "at least",
                0.2,
                SWAPPED,
            ),
            Part(
                "the least accuracy that is gained against PGD",
                adversarial.pgd_gain,
                "at least",
                0.01,
                SWAPPED,
            ),
            Part(
                "the gain against PGD as a share of that against FGSM",
                adversarial.pgd_to_fgsm,
                "at most",
                0.5,
                SWAPPED,
            ),
        ),
    ),
)
