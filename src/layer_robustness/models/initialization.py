"""Initial laws, as data: which distribution each kind of tensor is drawn from.

The paper does not state its laws; the ones used here are those that its distance panels show (see
resources/paper/README.md).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from layer_robustness.runtime.errors import InputError


@dataclass(frozen=True)
class Scaling:
    """Zero mean and variance `scale / fan`, in the convention of Keras' VarianceScaling."""

    scale: float
    fan: Literal["fan_in", "fan_average"]
    distribution: Literal["uniform", "normal"]

    def draw(self, shape: torch.Size, fan_in: int, fan_out: int, random: torch.Generator) -> Tensor:
        """Draw a tensor of this shape."""
        fan = fan_in if self.fan == "fan_in" else (fan_in + fan_out) / 2
        deviation = math.sqrt(self.scale / fan)
        if self.distribution == "normal":
            return torch.randn(shape, generator=random) * deviation
        bound = math.sqrt(3) * deviation
        return torch.rand(shape, generator=random) * (2 * bound) - bound


@dataclass(frozen=True)
class Law:
    """The scaling of weights, and kinds of layers whose biases are uniform; others are zero."""

    weight: Scaling
    biased: tuple[type[nn.Module], ...] = ()


UNIFORM_FAN_IN = Scaling(1 / 3, "fan_in", "uniform")  # uniform in +-1/sqrt(fan_in)

LAWS = {
    # PyTorch's default; the paper's FCN and ResNet
    "uniform_fan_in": Law(UNIFORM_FAN_IN, (nn.Linear, nn.Conv2d)),
    # the paper's VGG
    "xavier_normal": Law(Scaling(1, "fan_average", "normal"), (nn.Linear,)),
    "lecun_normal": Law(Scaling(1, "fan_in", "normal")),
    "he_normal": Law(Scaling(2, "fan_in", "normal")),
}


@torch.no_grad()
def initialize(network: nn.Module, law: Law, random: torch.Generator) -> None:
    """Draw every parameter from `law` in place; normalizations start as the identity.

    Raises `InputError` if a module owns parameters for which the law says nothing.
    """
    for name, module in network.named_modules():
        if isinstance(module, _NormBase):
            module.reset_parameters()
        elif isinstance(module, nn.Linear | nn.Conv2d):
            receptive = module.weight[0][0].numel()
            fan_in = module.weight.shape[1] * receptive
            fan_out = module.weight.shape[0] * receptive
            module.weight.copy_(law.weight.draw(module.weight.shape, fan_in, fan_out, random))
            if module.bias is not None:
                module.bias.zero_()
                if isinstance(module, law.biased):
                    drawn = UNIFORM_FAN_IN.draw(module.bias.shape, fan_in, fan_out, random)
                    module.bias.copy_(drawn)
        elif next(module.parameters(recurse=False), None) is not None:
            raise InputError(
                f"unit {name} is a {type(module).__name__}, for which no initial law is known; "
                "expected linear layers, convolutions and normalizations"
            )
