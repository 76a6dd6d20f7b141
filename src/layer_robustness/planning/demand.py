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
# Minutes by size of the images and kind of network, for one GPU. None of it was measured on one.
TRAIN: Mapping[tuple[str, str], int] = {
    ("digits", "fcn"): 20,
    ("digits", "vgg"): 20,
    ("digits", "resnet"): 30,
    ("digits", "own"): 30,
    ("small", "fcn"): 120,
    ("small", "vgg"): 240,
    ("small", "resnet"): DAY,
    ("small", "own"): DAY,
    ("large", "fcn"): DAY,
    ("large", "vgg"): DAY,
    ("large", "resnet"): DAY,
    ("large", "own"): DAY,
}
# Minutes of each other step, by size of the images.
MEASURE: Mapping[tuple[str, str], int] = {
    ("probe", "digits"): 15,
    ("probe", "small"): 120,
    ("probe", "large"): DAY,
    ("joint", "digits"): 15,
    ("joint", "small"): 60,
    ("joint", "large"): 8 * 60,
    ("distances", "digits"): 15,
    ("distances", "small"): 30,
    ("distances", "large"): 60,
    ("attack", "digits"): 15,
    ("attack", "small"): 240,
}
PREPARE_IMAGENET = 5 * 60

# MB of main memory: a process with torch and the data, and each further process.
MEMORY = {"digits": 3_000, "small": 8_000, "large": 32_000}
PROCESS = 500
CUDA = 4_000  # of the host's memory, with a GPU

CORES = 16  # that are asked for at most: larger machines are rare


def minutes(step: str, source: str, kind: str) -> int:
    """Return the minutes of one job's first attempt; `kind` of network is `fcn`, `vgg`, ..."""
    size = SIZES[source]
    return TRAIN[size, kind] if step == "train" else MEASURE[step, size]


def memory_mb(source: str, threads: int, gpus: int, extra_gb: float = 0) -> int:
    """Return the memory of one job's first attempt; `extra_gb` is what a probe may use."""
    further = PROCESS * (threads - 1) + (CUDA if gpus else 0)
    return round(MEMORY[SIZES[source]] + further + 1000 * extra_gb)
