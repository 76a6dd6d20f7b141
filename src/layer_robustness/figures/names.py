"""How the paper writes the names of data sets and architectures."""

DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR10", "imagenet": "ImageNet"}


def printed(model: str) -> str:
    """Write a model's name as the paper does: `resnet50+wd` is ResNet50 +wd."""
    architecture, plus, variant = model.partition("+")
    name = architecture.replace("resnet", "ResNet").replace("vgg", "VGG").replace("fcn", "FCN ")
    return f"{name} {plus}{variant}".rstrip()
