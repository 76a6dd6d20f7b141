"""Networks by name with trained weights, from files or from timm."""

import pickle
import re
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import clean_state_dict
from torch import nn

from layer_robustness.models.named import network_of
from layer_robustness.probing.tensors import State
from layer_robustness.runtime.errors import InputError

# Where training scripts put the weights in a file that holds more.
KEYS = ("state_dict", "model", "model_state_dict")


@dataclass
class Named:
    """A network by its name and options: see `models.named.network_of`."""

    name: str
    options: dict = field(default_factory=dict)

    def fresh(self) -> nn.Module:
        """Build it with random weights."""
        return network_of(self.name, self.options)

    def trained(self, checkpoint: Path | None) -> nn.Module:
        """Build it with trained weights: from a file, or those that timm downloads without one.

        Raises
        ------
        InputError
            If it is unknown or refuses its options, the weights do not fit, or there are none.
        """
        if ":" in self.name and checkpoint is None:
            raise InputError(f"{self.name} needs --checkpoint: the file with its trained weights")
        if checkpoint is None:
            return self.downloaded()
        network = self.fresh()
        load_into(network, checkpoint)
        return network

    def downloaded(self) -> nn.Module:
        """Build it with timm's own weights."""
        try:
            return timm.create_model(self.name, pretrained=True, **self.options)
        except Exception as error:  # clients of hubs have many for a missing network
            self.fresh()  # refuses a wrong name or option, which is no matter of weights
            reason = str(error).partition("\n")[0]
            raise InputError(
                f"the weights of {self.name} cannot be had ({reason}): give --checkpoint FILE"
            ) from error


def load_into(network: nn.Module, path: Path) -> None:
    """Load a checkpoint whose tensors are those of the network."""
    try:
        network.load_state_dict(dict(read_state(path)))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path} does not fit the network: {reason}") from error


def read_state(path: Path) -> State:
    """Read the tensors of a .safetensors file, or of what torch.save wrote; runs no code of it."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # timm's train.py writes its arguments too.
        with torch.serialization.safe_globals([Namespace]):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        # PyTorch advises to run what it refuses; that is left out.
        refused = re.search("[Uu]nsupported .*?(?= was| whose|$)", str(error), re.M)
        reason = refused[0] if refused else str(error).partition("\n")[0]
        raise InputError(
            f"{path} cannot be read ({reason}): expected .safetensors, or what torch.save wrote of "
            "a state_dict()"
        ) from error
    for key in KEYS:
        found = found.get(key, found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(t, torch.Tensor) for t in found.values()):
        raise InputError(f"{path} holds no state_dict: expected names and tensors")
    return clean_state_dict(found)  # without what torch.compile and several GPUs put before names
