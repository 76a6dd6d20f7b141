"""What this machine has, for those who must not import torch: the rules, and light steps."""

import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def has_gpu() -> bool:
    """Whether a step would find a GPU here: another process asks torch, which takes two seconds."""
    question = "import sys; from layer_robustness.runtime import devices; "
    command = [sys.executable, "-c", question + "sys.exit(not devices.has_gpu())"]
    source = Path(__file__).parents[2]
    return subprocess.run(command, cwd=source, capture_output=True).returncode == 0
