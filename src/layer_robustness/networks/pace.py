"""How a network runs fastest: the memory layout of its weights, and how many images at once.

Neither changes what a reset means. Sums may round otherwise.
"""

import math
import time

import torch
from torch import Tensor

from layer_robustness.networks.layout import LAYOUTS, is_convolutional, lay_out, layout_of
from layer_robustness.probing.engine import CHECKED, Engine
from layer_robustness.probing.replay import logits_of

AUTO = "auto"
SIZES = (16, 32, 64, 128)  # micro-batches that are tried, from small to large
GAIN = 0.05  # part of the time that counts as a difference
REPEATS = 4  # the first images are taken so often: a few alone are slow in all layouts
PASSES = 2  # in each layout
# Resets times images. Below that, the passes would take over 5 % of the probe.
WORTHWHILE = 2500


class Pace:
    """What is chosen for one probe.

    layout
        A key of `LAYOUTS`.
    size
        Images of the next micro-batch.
    """

    def __init__(self, engine: Engine, layout: str, images: int | None, device: torch.device):
        self.engine, self.device = engine, device
        self.trying = images is None or images * len(engine.resets) >= WORTHWHILE
        self.candidates = [*LAYOUTS] if layout == AUTO and self.trying else []
        self.layout = layout_of(engine.network) if layout == AUTO else layout
        self.size, self.sizes = 0, [0]
        self.seconds: dict[int, float] = {}  # an image takes, by the micro-batch

    def begin(self, images: Tensor) -> None:
        """Lay out the weights; the first images tell how."""
        if self.candidates and is_convolutional(self.engine.network):
            seconds = dict.fromkeys(self.candidates, math.inf)
            for layout in self.candidates * PASSES:
                lay_out(self.engine, layout)
                seconds[layout] = min(seconds[layout], self.clean_pass(images))
            plain, other = seconds.values()
            self.layout = self.candidates[other < (1 - GAIN) * plain]
        lay_out(self.engine, self.layout)

    def clean_pass(self, images: Tensor) -> float:
        """Return the seconds of a clean pass."""
        given, started = torch.cat([images] * REPEATS), self.now()
        logits_of(self.engine.network, given)
        return self.now() - started

    def now(self) -> float:
        """Seconds of this thread on a CPU, which other processes do not disturb."""
        if self.device.type == "cpu":
            return time.thread_time()
        torch.accelerator.synchronize()
        return time.perf_counter()

    def allow(self, most: int) -> None:
        """Start with a small micro-batch where trying pays; on a GPU, a large one is faster."""
        tried = SIZES if self.trying and self.device.type == "cpu" else ()
        self.sizes = [*(size for size in tried if size < most), most]
        self.trying = len(self.sizes) > 1
        self.size = min(self.size or self.sizes[0], most)

    def took(self, images: int, seconds: float) -> None:
        """Go on to the next size until it gets slower, then stay with the smallest that is fast."""
        if not self.trying or images not in (CHECKED, self.size):
            return
        before = min(self.seconds.values(), default=math.inf)
        self.seconds[images] = seconds / images
        larger = [size for size in self.sizes if size > images]
        self.trying = bool(larger) and self.seconds[images] < (1 + GAIN) * before
        enough = (1 + GAIN) * min(self.seconds.values())
        small = min(size for size, taken in self.seconds.items() if taken <= enough)
        self.size = larger[0] if self.trying else small
