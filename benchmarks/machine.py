"""What a benchmark ran on."""

import torch

from layer_robustness.runtime import machine


def describe() -> str:
    """Name device, cores, threads and version of torch."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        device = f"{machine.cpus()} CPU cores, {torch.get_num_threads()} thread(s)"
    return f"{device}, torch {torch.__version__}"
