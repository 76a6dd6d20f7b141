"""How the paper writes the names of data sets and architectures."""

# Of a network whose loss was no longer finite.
DID_NOT_TRAIN = "did not train"

DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR10", "imagenet": "ImageNet"}


def printed(model: str) -> str:
    """Write a model's name as the paper does: `resnet50+wd` is ResNet50 +wd."""
    architecture, plus, variant = model.partition("+")
    name = architecture.replace("resnet", "ResNet").replace("vgg", "VGG").replace("fcn", "FCN ")
    return f"{name} {plus}{variant}".rstrip()


def did_not_train(absent: int, seeds: int) -> str:
    """Say how many seeds are not in a mean over so many others."""
    return f"{absent} of {absent + seeds} seeds {DID_NOT_TRAIN}"


def not_run(dataset: str) -> str:
    """Say why networks of a data set were not run."""
    missing = "ImageNet path" if dataset == "imagenet" else f"source for {dataset}"
    return f"not run: no {missing} configured"
