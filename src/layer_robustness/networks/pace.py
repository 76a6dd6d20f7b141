"""How a network runs fastest: the memory layout of its weights, and how many images at once.

Neither changes what a reset means. Sums may round otherwise.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from layer_robustness.probing.engine import Engine
from layer_robustness.probing.replay import logits_of

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
AUTO = "auto"
SIZES = (8, 16, 32, 64, 128)  # micro-batches that are tried, from small to large
GAIN = 0.05  # part of the time that another choice has to save
REPEATS = 2  # the first images are taken so often: with 4 alone, all layouts are slow
PASSES = 2  # that are timed, after a first one
# Resets times images. Below that, timing would take over 4 % of the probe.
WORTHWHILE = 2000


class Pace:
    """What is chosen for one probe.

    layout
        A key of `LAYOUTS`.
    size
        Images of the next micro-batch.
    """

    def __init__(self, engine: Engine, layout: str, images: int | None, device: torch.device):
        self.engine, self.device = engine, device
        self.worthwhile = images is None or images * len(engine.resets) >= WORTHWHILE
        self.layout = layout_of(engine.network) if layout == AUTO else layout
        self.measured = layout == AUTO and self.worthwhile
        self.size, self.sizes = 0, [0]  # the last is what memory allows
        self.seconds: dict[int, float] = {}  # an image takes, by the micro-batch

    def begin(self, images: Tensor) -> None:
        """Lay out the weights; the first images tell how."""
        if self.measured and convolution_weights(self.engine.network):
            seconds = {}
            for layout in LAYOUTS:
                lay_out(self.engine, layout)
                seconds[layout] = self.timed(images)
            plain, other = seconds.values()
            self.layout = list(LAYOUTS)[other < (1 - GAIN) * plain]
        lay_out(self.engine, self.layout)

    def timed(self, images: Tensor) -> float:
        """Return the least seconds that a clean pass takes."""
        many, taken = torch.cat([images] * REPEATS), []
        logits_of(self.engine.network, images.clone())
        for _ in range(PASSES):
            given, started = many.clone(), self.now()
            logits_of(self.engine.network, given)
            taken.append(self.now() - started)
        return min(taken)

    def now(self) -> float:
        """Seconds of this thread on a CPU, which other processes do not disturb."""
        if self.device.type == "cpu":
            return time.thread_time()
        torch.accelerator.synchronize()
        return time.perf_counter()

    def allow(self, most: int) -> None:
        """Start with a small micro-batch where trying pays; on a GPU, a large one is faster."""
        tried = SIZES if self.worthwhile and self.device.type == "cpu" else ()
        self.sizes = [*(size for size in tried if size < most), most]
        self.size = self.size or self.sizes[0]

    def took(self, images: int, seconds: float) -> None:
        """Go on to the next size while it gets faster, then stay with the fastest."""
        if images != self.size or images in self.seconds:
            return
        before = min(self.seconds.values(), default=float("inf"))
        self.seconds[images] = seconds / images
        larger = [size for size in self.sizes if size > images]
        if self.seconds[images] < (1 - GAIN) * before and larger:
            self.size = larger[0]
        else:
            self.size = min(self.seconds, key=self.seconds.__getitem__)


def convolution_weights(network: nn.Module) -> list[Tensor]:
    """Return the weights that have two layouts."""
    kinds = nn.Conv2d | nn.ConvTranspose2d
    return [module.weight for module in network.modules() if isinstance(module, kinds)]


def layout_of(network: nn.Module) -> str:
    """Return the layout of the convolutions' weights."""
    plain = all(weight.is_contiguous() for weight in convolution_weights(network))
    return "contiguous" if plain else "channels_last"


def lay_out(engine: Engine, layout: str) -> None:
    """Give the convolutions' weights a layout, and the values that resets give them."""
    chosen, tensors = LAYOUTS[layout], engine.replay.weights.tensors
    weights = {id(weight) for weight in convolution_weights(engine.network)}
    for name, tensor in tensors.items():
        if id(tensor) in weights:
            tensor.data = tensor.data.contiguous(memory_format=chosen)
            for reset in engine.resets:
                if name in reset.values:
                    reset.values[name] = reset.values[name].contiguous(memory_format=chosen)


@contextmanager
def layout_kept(network: nn.Module) -> Iterator[None]:
    """Give the convolutions' weights their layout back after the block, and their own memory."""
    before = [(weight, weight.data) for weight in convolution_weights(network)]
    try:
        yield
    finally:
        for weight, data in before:
            weight.data = data
