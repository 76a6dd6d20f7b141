"""Precisions: of the weights, and of the arithmetic on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Precision:
    """Type of weights and inputs, and what matrix products and convolutions may round to."""

    weights: torch.dtype
    autocast: torch.dtype | None = None
    tf32: bool = False


PRECISIONS = {
    "float32": Precision(torch.float32),
    "float64": Precision(torch.float64),
    "tf32": Precision(torch.float32, tf32=True),
    "bf16": Precision(torch.float32, autocast=torch.bfloat16),
}


@contextmanager
def arithmetic(name: str, device: torch.device) -> Iterator[None]:
    """Compute in this precision inside the block.

    float32 means float32: PyTorch's own default lets convolutions on a GPU round to tf32.

    Leave the block before weights change. Autocast keeps a rounded copy of each weight until its
    outermost block ends, and would compute with that copy from then on.
    """
    precision = PRECISIONS[name]
    torch.backends.cuda.matmul.allow_tf32 = precision.tf32
    torch.backends.cudnn.allow_tf32 = precision.tf32
    enabled = precision.autocast is not None
    with torch.autocast(device.type, precision.autocast, enabled):
        yield


@contextmanager
def rounding_kept() -> Iterator[None]:
    """Let products round as before again behind the block.

    `arithmetic` changes that for good: training goes backward behind its block.
    """
    backends: Any = torch.backends  # as PyTorch's types know no fp32_precision
    matmul, cudnn = backends.cuda.matmul, backends.cudnn
    before = {part: part.fp32_precision for part in (matmul, cudnn.conv, cudnn.rnn)}
    try:
        yield
    finally:
        # allow_tf32 is the older name of the same: PyTorch raises where the two differ.
        matmul.allow_tf32 = before[matmul] == "tf32"
        cudnn.allow_tf32 = before[cudnn.conv] == "tf32"
        for part, value in before.items():
            part.fp32_precision = value


def computed_in(name: str, device: torch.device) -> str:
    """Name the precision that a device really computes in: tf32 is float32 on a CPU."""
    return "float32" if name == "tf32" and device.type != "cuda" else name
