"""Which device to compute on: jobs take a GPU each, while there are no more jobs than GPUs."""

import itertools
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from layer_robustness.runtime.errors import InputError

_taken: dict[str, FileLock] = {}  # by GPU; held until this process ends, even if it is killed


def choose(name: str) -> torch.device:
    """Return the device for `auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N`.

    A GPU is taken until this process ends, and taken again by the same process. Processes that
    torchrun started have one each already, that of their rank.
    """
    device = one_of(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # used where no device is given, as for pinned memory
    return device


@contextmanager
def chosen(name: str, home: torch.device) -> Iterator[torch.device]:
    """Choose a device for this block alone; without a number it is `home`, if that is a GPU."""
    device = one_of(str(home) if home.type == "cuda" and name in ("auto", "cuda") else name)
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        yield device


def one_of(name: str) -> torch.device:
    """Take what a device's name means here."""
    if not on_gpu(name):
        return torch.device("cpu")
    number, rank = name.partition(":")[2], os.environ.get("LOCAL_RANK")
    if number:
        return torch.device("cuda", *take(1, [int(number)]))
    return torch.device("cuda", *(take(1) if rank is None else [int(rank)]))


def on_gpu(name: str) -> bool:
    """Whether `auto`, `cpu`, `cuda` or `cuda:N` means a GPU here.

    Raises `InputError` if it is none of these, or a GPU that is not there.
    """
    asked = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", name)
    if not asked:
        raise InputError(f"device is {name!r}: expected auto, cpu, cuda or cuda:N")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name.startswith("cuda") and found <= int(asked[1] or 0):
        gpus = {0: "no GPU", 1: "1 GPU"}.get(found, f"{found} GPUs")
        raise InputError(f"device is {name}, but torch finds {gpus}: set device to auto or cpu")
    return found > 0 and name != "cpu"


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


def take(count: int, among: Sequence[int] = ()) -> list[int]:
    """Take different GPUs until this process ends; return their indices among the visible ones.

    A process takes those that it has before others. Each GPU has a first place, a second place,
    and so on. A job locks the first free one of all, and the system unlocks it when the job ends,
    even if it is killed. Jobs of other users are not seen.

    Raises `InputError` if fewer than `count` are visible.
    """
    names = visible()
    if len(names) < count:
        raise InputError(
            f"{count} processes are to train together, each on a GPU of its own, but this job may "
            f"use {len(names)} ({', '.join(names)}): give it more (--resources gpu={count}), or "
            "set gpu to fewer"
        )
    folder, among = lock_folder(), among or range(len(names))
    held = [index for index in among if names[index] in _taken][:count]
    places = ((place, index) for place in itertools.count() for index in among if index not in held)
    while len(held) < count:
        place, index = next(places)
        stem = re.sub(r"\W", "_", names[index])
        lock = FileLock(folder / f"{stem}.{place}")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            _taken[names[index]] = lock
            held.append(index)
    return sorted(held)


def lock_folder() -> Path:
    """Return this user's folder of locks on this machine.

    Raises `InputError` if another user has put something in its place.
    """
    folder = Path(tempfile.gettempdir(), f"layer-robustness-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise InputError(f"{folder} is not a folder of yours: remove it, or set TMPDIR to another")
    return folder
