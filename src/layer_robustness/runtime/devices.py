"""Which device to compute on: jobs take a GPU each, while there are no more jobs than GPUs."""

import itertools
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from layer_robustness.runtime.errors import InputError

_taken: list[FileLock] = []  # held until this process ends, even if it is killed


def choose(name: str) -> torch.device:
    """Return the device for `cpu`, `cuda` or `auto` (a GPU where there is one).

    A GPU is taken until this process ends. Processes that torchrun started have one each already,
    that of their rank.
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
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise InputError("device is cuda, but torch finds no GPU: set device to auto or cpu")
    return found and name != "cpu"


def take_for_ranks(name: str, count: int) -> None:
    """Take a GPU for each process that this one starts; they then see these GPUs only."""
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
    """Take different GPUs until this process ends; return their indices among the visible ones.

    Each GPU has a first place, a second place, and so on. A job locks the first free one of all,
    and the system unlocks it when the job ends, even if it is killed. Jobs of other users are not
    seen.

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
    folder, indices = lock_folder(), set()
    places = ((place, index) for place in itertools.count() for index in range(len(names)))
    while len(indices) < count:
        place, index = next(places)
        stem = re.sub(r"\W", "_", names[index])
        lock = FileLock(folder / f"{stem}.{place}")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            _taken.append(lock)
            indices.add(index)
    return sorted(indices)


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
