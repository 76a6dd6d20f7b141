"""Networks by name with trained weights, from files or from timm."""

import pickle
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def trained(name: str, options: Mapping[str, Any], checkpoint: Path | None) -> nn.Module:
    """Build a network, see `network_of`, with weights from a file or, without one, timm's own.

    Raises `InputError` if it cannot be built, the weights do not fit, or there are none.
    """
    if checkpoint is not None:
        network = network_of(name, options)
        try:
            network.load_state_dict(dict(read_state(checkpoint)))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"{checkpoint} does not fit the network: {reason}") from error
        return network
    if ":" in name:
        raise InputError(f"{name} needs --checkpoint: the file with its trained weights")
    try:
        return timm.create_model(name, pretrained=True, **options)
    except Exception as error:  # clients of hubs have many for a missing network
        network_of(name, options)  # refuses a wrong name or option, which is no matter of weights
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"the weights of {name} cannot be had ({reason}): give --checkpoint FILE"
        ) from error


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
