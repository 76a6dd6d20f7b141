"""Which device to compute on: a GPU of this machine that no other job is using, if there is one."""

import os
import re
import tempfile
from pathlib import Path
from uuid import uuid4

import torch
from filelock import FileLock, Timeout

from layer_robustness.runtime.errors import InputError

_taken: list[FileLock] = []  # held until this process ends, even if it is killed


def has_gpu() -> bool:
    """Whether torch finds a GPU. Rules ask the same, through `machine.has_gpu`."""
    return torch.cuda.is_available()


def choose(name: str) -> torch.device:
    """Return the device for `cpu`, `cuda` or `auto` (a GPU where there is one).

    A GPU is taken until this process ends. Processes that torchrun started have one each already,
    that of their rank.

    Raises
    ------
    InputError
        If a GPU is asked for and there is none.
    """
    if not on_gpu(name):
        return torch.device("cpu")
    rank = os.environ.get("LOCAL_RANK")
    index = take(1)[0] if rank is None else int(rank)
    torch.cuda.set_device(index)  # used where no device is given, as for pinned memory
    return torch.device("cuda", index)


def on_gpu(name: str) -> bool:
    """Whether `cpu`, `cuda` or `auto` means a GPU here.

    Raises
    ------
    InputError
        If a GPU is asked for and there is none.
    """
    if name == "cpu":
        return False
    found = has_gpu()
    if name == "cuda" and not found:
        raise InputError("device is cuda, but torch finds no GPU: set device to auto or cpu")
    return found


def take_for_ranks(name: str, count: int) -> None:
    """Take a GPU for each process that this one starts; they then see these GPUs only.

    Raises
    ------
    InputError
        If a GPU is asked for and there is none, or there are some, but not enough.
    """
    if on_gpu(name):
        names = visible()
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names[index] for index in take(count))


def visible() -> list[str]:
    """Names of the GPUs that this process may use, in torch's order."""
    count = torch.cuda.device_count()  # creates no context, which would cost memory on a GPU
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = allowed.split(",") if allowed else map(str, range(count))
    return [name.strip() for name in names][:count]


def take(count: int) -> list[int]:
    """Take different GPUs until this process ends: free ones, else those with the fewest jobs.

    Each job holds a locked file for each of its GPUs, and the system unlocks it when the job ends,
    even if it is killed. Jobs of other users are not seen.

    Returns
    -------
    list[int]
        Their indices among the visible GPUs, in ascending order.

    Raises
    ------
    InputError
        If fewer than `count` are visible.
    """
    names = visible()
    if len(names) < count:
        raise InputError(
            f"{count} processes are to train together, each on a GPU of its own, but this job may "
            f"use {len(names)} ({', '.join(names)}): give it more (--resources gpu={count}), or "
            "set gpu to fewer"
        )
    folder = lock_folder()
    stems = [re.sub(r"\W", "_", name) for name in names]
    with FileLock(folder / "counting"):  # one job at a time: two would find the same GPU free
        jobs = [count_jobs(folder, stem) for stem in stems]
        indices = sorted(sorted(range(len(names)), key=jobs.__getitem__)[:count])
        for index in indices:
            _taken.append(FileLock(folder / f"{stems[index]}.{uuid4()}"))
            _taken[-1].acquire()
    return indices


def count_jobs(folder: Path, stem: str) -> int:
    """Count the jobs that have taken a GPU, and remove the files of those that have ended."""
    count = 0
    for path in folder.glob(f"{stem}.*"):
        try:
            with FileLock(path, timeout=0):
                path.unlink()
        except Timeout:
            count += 1
    return count


def lock_folder() -> Path:
    """Return this user's folder of locks on this machine.

    Raises
    ------
    InputError
        If another user has put something in its place.
    """
    folder = Path(tempfile.gettempdir(), f"layer-robustness-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise InputError(f"{folder} is not a folder of yours: remove it, or set TMPDIR to another")
    return folder
