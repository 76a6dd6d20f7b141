"""What a benchmark ran on."""

import os

import torch


def describe() -> str:
    """Name device, cores, threads and version of torch."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        device = f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} thread(s)"
    return f"{device}, torch {torch.__version__}"
