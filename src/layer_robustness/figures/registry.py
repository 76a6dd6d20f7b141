"""What each figure of the paper shows.

A figure is an entry here. Where two differ in their data set alone, one entry makes both.
"""

from dataclasses import replace
from string import ascii_lowercase

from layer_robustness.experiments import sweeps
from layer_robustness.experiments.names import parse_network
from layer_robustness.figures.figure import Figure, Panel
from layer_robustness.figures.names import DATASETS, DISTANCES, QUANTITIES, printed

FULLY_CONNECTED = "3.1 Fully connected networks"
CONVOLUTIONAL = "3.2 Large convolutional networks"
JOINT = "4 Joint robustness"


def panel(name: str, title: str = "", quantity: str = "test_error", group: str = "") -> Panel:
    """Make a panel of one network by its name; the model's name is the title if none is given."""
    network = parse_network(name)
    return Panel(title or printed(network.model), (network,), quantity, group)


def panels(*names: str, group: str = "") -> tuple[Panel, ...]:
    """Make a panel of each network."""
    return tuple(panel(name, group=group) for name in names)


def quantities(name: str, subtitle: str = "") -> tuple[Panel, ...]:
    """Make a panel of each quantity of one network."""
    return tuple(
        panel(name, f"{title}\n{subtitle}".rstrip(), quantity)
        for quantity, title in QUANTITIES.items()
    )


def resnets(dataset: str, group: str = "") -> tuple[Panel, ...]:
    """Make a panel of each of four depths."""
    return panels(*(f"{dataset}/resnet{depth}" for depth in (18, 50, 101, 152)), group=group)


def whole(figure: Figure) -> Figure:
    """Name the panels of a figure, 3a, 3b, ..., count those of its only row, explain distances."""
    letters = zip(ascii_lowercase, figure.panels, strict=False)
    panels = tuple(replace(panel, name=f"{figure.number}{letter}") for letter, panel in letters)
    distances = any(panel.quantity != "test_error" for panel in panels)
    caption = f"{figure.caption} {DISTANCES}" if distances else figure.caption
    return replace(figure, panels=panels, rows=figure.rows or (len(panels),), caption=caption)


FIGURES = {
    figure.name: whole(figure)
    for figure in (
        Figure(
            1,
            "heatmap",
            "Robustness of the layers of FCN 3x256 on MNIST",
            "Test error of FCN 3x256 on MNIST after one layer is put back to fresh random values "
            "(`rerand`) or to its own values of an earlier epoch, all other layers keeping their "
            "final values; and how far each layer is from its initial values at that epoch.",
            quantities("mnist/fcn3x256"),
            section=FULLY_CONNECTED,
        ),
        Figure(
            2,
            "bars",
            "Robustness of the upper layers of FCNs to re-initialization, by width",
            "Each bar reaches from the test error of the trained network up to the mean test "
            "error after one layer is re-initialized to epoch 0, over all layers but the first. "
            "Whiskers are one standard deviation over seeds.",
            tuple(Panel(DATASETS[data], sweeps.widths(data)) for data in ("mnist", "cifar10")),
            section=FULLY_CONNECTED,
        ),
        Figure(
            3,
            "heatmap",
            "Robustness of the layers of VGG networks on CIFAR10",
            "Test error of VGG networks on CIFAR10 after one layer is re-randomized (`rerand`) or "
            "re-initialized to a checkpoint, all other layers keeping their final values. "
            "`fullmodel` is the whole network at that checkpoint.",
            panels("cifar10/vgg11", "cifar10/vgg19", "cifar10/vgg13", "cifar10/vgg16"),
            rows=(2, 2),
            section=CONVOLUTIONAL,
            transposed=True,
        ),
        *(
            Figure(
                number,
                "heatmap",
                f"Robustness of the residual blocks of ResNets on {DATASETS[dataset]}",
                f"Test error of ResNets on {DATASETS[dataset]} after one residual block, the "
                "first convolution or the last layer is re-randomized (`rerand`) or "
                "re-initialized to a checkpoint, all others keeping their final values. "
                "`fullmodel` is the whole network at that checkpoint.",
                resnets(dataset),
                rows=(2, 1, 1),
                section=CONVOLUTIONAL,
                transposed=True,
            )
            for number, dataset in ((4, "cifar10"), (5, "imagenet"))
        ),
        Figure(
            6,
            "heatmap",
            "Joint robustness of the residual blocks of ResNet152 on CIFAR10",
            "Test error of ResNet152 on CIFAR10 after a group of residual blocks (starred, blue) "
            "is reset jointly, and after the remaining layers are: all blocks but the first of "
            "each stage, and every second block of each stage.",
            (
                panel(
                    "cifar10/resnet152",
                    "All blocks but the first of each stage",
                    group="all_but_first",
                ),
                panel(
                    "cifar10/resnet152", "Every second block of each stage", group="every_second"
                ),
            ),
            rows=(1, 1),
            section=JOINT,
            transposed=True,
        ),
        Figure(
            7,
            "blocks",
            "Pre-activation residual blocks of ResNet50",
            "Pre-activation residual blocks, traced from the ResNet50 that is trained: with an "
            "identity skip, and with a downsampling convolution that takes the activated input. "
            "Convolutions with their kernels, output channels and strides.",
            (
                Panel("Without downsampling", unit="stage1.resblk2"),
                Panel("With downsampling", unit="stage2.resblk1"),
            ),
        ),
        Figure(
            8,
            "heatmap",
            "Joint robustness of the layers of FCN 5x256 on MNIST",
            "Test error of FCN 5x256 after a group of layers (starred, blue) is reset jointly, "
            "and after the remaining layers are.",
            (
                panel("mnist/fcn5x256", "Layers 2-6", group="all_but_first"),
                panel("mnist/fcn5x256", "Layers 2, 3, 5, 6", group="two_of_three"),
                panel("mnist/fcn5x256", "Layers 2, 4, 6", group="every_second"),
            ),
            section=JOINT,
        ),
        Figure(
            9,
            "heatmap",
            "Joint robustness of all residual blocks but the first of each stage on CIFAR10",
            "Test error of ResNets on CIFAR10 after all residual blocks but the first of each "
            "stage (starred, blue) are reset jointly, and after the remaining layers are.",
            resnets("cifar10", group="all_but_first"),
            rows=(2, 1, 1),
            transposed=True,
        ),
        Figure(
            10,
            "heatmap",
            "Joint robustness of other groups of residual blocks on CIFAR10",
            "Test error of ResNets on CIFAR10 after a group of residual blocks (starred, blue) is "
            "reset jointly, and after the remaining layers are: all blocks but the first of "
            "stages 2 and 3 only, and every second block of each stage.",
            (
                panel(
                    "cifar10/resnet50",
                    "ResNet50, stages 2 and 3",
                    group="all_but_first_stages_2_3",
                ),
                panel("cifar10/resnet50", "ResNet50, every second block", group="every_second"),
                panel("cifar10/resnet101", "ResNet101, every second block", group="every_second"),
                panel("cifar10/resnet152", "ResNet152, every second block", group="every_second"),
            ),
            rows=(2, 1, 1),
            transposed=True,
        ),
        Figure(
            11,
            "heatmap",
            "Robustness of the layers of VGG16 on CIFAR10, with and without weight decay",
            "Test error of VGG16 on CIFAR10, trained without and with weight decay, after one "
            "layer is re-randomized (`rerand`) or re-initialized to a checkpoint.",
            panels("cifar10/vgg16", "cifar10/vgg16+wd"),
            transposed=True,
        ),
        *(
            Figure(
                number,
                "heatmap",
                f"Robustness of the variants of ResNet50 on {DATASETS[dataset]}",
                f"Test error of ResNet50 on {DATASETS[dataset]}, trained with and without weight "
                "decay (wd) and batch normalization (bn), after one layer is re-randomized "
                "(`rerand`) or re-initialized to a checkpoint.",
                panels(
                    *(f"{dataset}/resnet50{variant}" for variant in ("", "+wd", "+bn", "+wd+bn"))
                ),
                rows=(2, 2),
                transposed=True,
            )
            for number, dataset in ((12, "cifar10"), (13, "imagenet"))
        ),
        Figure(
            14,
            "heatmap",
            "Robustness and distance from initialization of VGG16 on CIFAR10",
            "VGG16 on CIFAR10: test error after one layer is reset, and the distance of what it "
            "is reset to from its initial values.",
            quantities("cifar10/vgg16"),
        ),
        *(
            Figure(
                number,
                "heatmap",
                f"Robustness and distance from initialization of ResNet50 on {DATASETS[dataset]}",
                f"ResNet50 on {DATASETS[dataset]}, plain and with weight decay and batch "
                "normalization: test error after one layer is reset, and the distance of what it "
                "is reset to from its initial values.",
                (
                    *quantities(f"{dataset}/resnet50", "ResNet50"),
                    *quantities(f"{dataset}/resnet50+wd+bn", "ResNet50 +wd+bn"),
                ),
                rows=(3, 3),
            )
            for number, dataset in ((15, "cifar10"), (16, "imagenet"))
        ),
        Figure(
            17,
            "lines",
            "Robustness and distance from initialization of VGG16 on CIFAR10, as lines",
            "The data of Figure 14 as lines over the layers of VGG16, one line for each "
            "checkpoint. A layer reset to the final epoch keeps its final values, so that this "
            "line shows the test error of the full model.",
            quantities("cifar10/vgg16"),
        ),
        Figure(
            18,
            "lines",
            "Robustness and distance from initialization of ResNet50, as lines",
            "The data of Figures 15a-c and 16a-c as lines over the layers of ResNet50, one line "
            "for each checkpoint. A layer reset to the final epoch keeps its final values, so "
            "that this line shows the test error of the full model.",
            (
                *quantities("cifar10/resnet50", "CIFAR10"),
                *quantities("imagenet/resnet50", "ImageNet"),
            ),
            rows=(3, 3),
        ),
    )
}
