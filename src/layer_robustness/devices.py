"""Which device to compute on."""

import torch

from layer_robustness.errors import InputError


def choose(name: str) -> torch.device:
    """Return the device for `cpu`, `cuda` or `auto` (a GPU where there is one).

    Raises
    ------
    InputError
        If a GPU is asked for and there is none.
    """
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise InputError("device is cuda, but torch finds no GPU: set device to auto or cpu")
    return torch.device("cuda" if name != "cpu" and found else "cpu")
