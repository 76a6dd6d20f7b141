"""What a job asks a cluster for: change these tables to what your machines need.

Asking for too much means a longer wait in the queue. A job that got too little is submitted again
and continues from where it was stopped. Each attempt asks for more time and memory, but for no more
than a day, as many partitions allow no more.
"""

from collections.abc import Mapping

# How large a source's images are, in number and size.
SIZES = {
    "digits5k": "digits",
    "digits5k_as_cifar10": "digits",
    "digits5k_as_imagenet": "digits",
    "mnist": "small",
    "fashion_mnist": "small",
    "cifar10": "small",
    "fashion_mnist_as_cifar10": "small",
    "imagenet": "large",
}

DAY = 24 * 60
# Minutes by kind of network and size of the images, for one GPU. None of it was measured on one.
TRAIN: Mapping[str, Mapping[str, int]] = {
    "fcn": {"digits": 20, "small": 120, "large": DAY},
    "vgg": {"digits": 20, "small": 240, "large": DAY},
    "resnet": {"digits": 30, "small": DAY, "large": DAY},
    "own": {"digits": 30, "small": DAY, "large": DAY},
}
# Minutes of each other step, by size of the images.
MEASURE: Mapping[str, Mapping[str, int]] = {
    "probe": {"digits": 15, "small": 120, "large": DAY},
    "joint": {"digits": 15, "small": 60, "large": 8 * 60},
    "distances": {"digits": 15, "small": 30, "large": 60},
    "attack": {"digits": 15, "small": 240},
    "network": {"digits": 15, "small": 120, "large": DAY},
}
PREPARE_IMAGENET = 5 * 60

# MB of main memory: a process with torch and the data, and each further process.
MEMORY = {"digits": 3_000, "small": 8_000, "large": 32_000}
PROCESS = 500
CUDA = 4_000  # of the host's memory, with a GPU

CORES = 16  # that are asked for at most: larger machines are rare


def minutes(step: str, source: str, kind: str) -> int:
    """Return the minutes of one job's first attempt; `kind` of network is `fcn`, `vgg`, ..."""
    table = TRAIN[kind] if step == "train" else MEASURE[step]
    return table[SIZES[source]]


def memory_mb(source: str, threads: int, gpus: int, extra_gb: float = 0) -> int:
    """Return the memory of one job's first attempt; `extra_gb` is what a probe may use."""
    further = PROCESS * (threads - 1) + (CUDA if gpus else 0)
    return round(MEMORY[SIZES[source]] + further + 1000 * extra_gb)
