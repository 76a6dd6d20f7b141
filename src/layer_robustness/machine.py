"""What this machine has, for those who must not import torch: the rules, and light steps."""

import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def has_gpu() -> bool:
    """Whether a step would find a GPU here: another process asks torch, which takes two seconds."""
    question = "import sys; from layer_robustness.devices import has_gpu; sys.exit(not has_gpu())"
    command = [sys.executable, "-c", question]
    source = Path(__file__).parents[1]
    return subprocess.run(command, cwd=source, capture_output=True).returncode == 0
