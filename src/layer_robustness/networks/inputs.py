"""Images and labels, in micro-batches, from what a person has: tensors, a loader or a folder."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, cast

import torch
from PIL.Image import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.datasets.folder import ImageFolder

from layer_robustness.data.dataset import Dataset as PreparedImages
from layer_robustness.data.imagefolder import loaded, opened
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.tensorfile import digest

Batches = Iterable[tuple[Tensor, Tensor]]
Transform = Callable[[Image], Tensor]
Data = Batches | tuple[Tensor, Tensor] | str | PathLike
LOADED = 64  # images that are decoded together
EXPECTED = "expected a DataLoader, a pair (images, labels) of tensors or a folder of images"


def batches_of(data: Data, network: nn.Module) -> Batches:
    """Return batches of images and labels.

    A folder's images are prepared as the network says, if it is one of timm's, or as is usual.
    """
    if isinstance(data, str | PathLike):
        return folder_batches(Path(data), resolve_model_data_config(network))
    if isinstance(data, tuple | list) and len(data) == 2 and isinstance(data[0], Tensor):
        images, labels = cast(tuple[Tensor, Tensor], data)
        if len(images) != len(labels):
            raise InputError(f"data: {len(images)} images and {len(labels)} labels")
        return [(images, torch.as_tensor(labels))]
    if not isinstance(data, Iterable):
        raise InputError(f"data is a {type(data).__name__}: {EXPECTED}")
    return cast(Batches, data)


def folder_batches(
    folder: Path, config: dict, class_map: str = "", most: int | None = None, workers: int = 0
) -> DataLoader:
    """Decode the images of a folder, in which each class has one.

    Parameters
    ----------
    config
        What timm's transforms take: input_size, mean, std, interpolation, crop_pct.
    class_map
        A .txt file that has the names of the classes, one a line, in the order of the logits;
        without it they are sorted.
    most
        How many images are taken of the sorted list: see `evenly`.
    """
    try:
        found = ImageFolder(folder)
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"data: {folder} cannot be used ({reason}): expected a folder of images for each class"
        ) from error
    names = Path(class_map).read_text().splitlines() if class_map else found.classes
    outputs = {name: number for number, name in enumerate(names)}
    if unknown := sorted(set(found.classes) - set(outputs)):
        raise InputError(f"data: class {unknown[0]} of {folder} is not in {class_map}")
    samples = [(path, outputs[found.classes[label]]) for path, label in found.samples]
    taken = [samples[place] for place in evenly(len(samples), most)]
    transform = cast(Transform, create_transform(**config))
    identity_of = partial(listing, transform, taken)
    images = Listed(taken, partial(photograph, transform), identity_of, len(names))
    return DataLoader(images, batch_size=LOADED, num_workers=workers)


def photograph(transform: Transform, sample: tuple[str, int]) -> tuple[Tensor, int]:
    """Decode an image of a folder, and prepare it for a network."""
    path, label = sample
    return transform(opened(path)), label


def listing(transform: Transform, samples: Sequence[tuple[str, int]]) -> list[str]:
    """What tells images of a folder from others: how they are prepared, and each file's size."""
    listed = [f"{label} {Path(path).stat().st_size} {path}" for path, label in samples]
    return [str(transform), *listed]


def prepared_batches(
    data: PreparedImages, dtype: torch.dtype = torch.float32, most: int | None = None
) -> DataLoader:
    """Normalize the test images of a prepared data set, as training does; see `evenly`."""

    def read(place: int) -> tuple[Tensor, Tensor]:
        return data.normalize(data.test_images[place], dtype), data.test_labels[place]

    places = evenly(len(data.test_labels), most)
    images = Listed(places, read, lambda: [data.sha256, *map(str, places)])
    return DataLoader(images, batch_size=LOADED)


def evenly(count: int, most: int | None) -> list[int]:
    """Places of at most so many of `count` images, evenly over all; of all if none is given."""
    taken = min(most or count, count)
    return [place * count // taken for place in range(taken)]


@dataclass
class Listed(Dataset):
    """Images that are read one by one, when they are needed.

    items
        Of each of them `read` makes an image and its label.
    identity
        Tells these images from others. It is called only if a probe is kept: a folder's looks at
        each file.
    classes
        Number of classes that the labels are numbers of, if that is known.
    """

    items: Sequence
    read: Callable[[Any], tuple[Tensor, Tensor | int]]
    identity: Callable[[], list[str]]
    classes: int | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor | int]:
        return self.read(self.items[place])


def after(batches: Batches, done: int) -> Batches:
    """Leave out images that were counted; those of a folder are not decoded again."""
    if not done:
        return batches
    if isinstance(batches, DataLoader):
        images = cast(Listed, batches.dataset)
        left = Subset(images, range(done, len(images)))
        return DataLoader(left, batch_size=LOADED, num_workers=batches.num_workers)
    return after_first(batches, done)


def after_first(batches: Batches, done: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Leave out so many images of the first batches."""
    for images, labels in batches:
        if done < len(labels):
            yield images[done:], labels[done:]
        done = max(0, done - len(labels))


def identity(batches: Batches) -> list[str]:
    """What tells images from others, so that a probe of the same ones can go on.

    Raises `InputError` if nobody can tell: a loader may give others each time.
    """
    images = getattr(batches, "dataset", None)
    if isinstance(images, Listed):
        return images.identity()
    if isinstance(batches, list):
        return [digest({"images": images, "labels": labels}, {}) for images, labels in batches]
    raise InputError("keep: expected data that is a folder of images or a pair of tensors")


def micro_batches(
    batches: Batches, device: torch.device, sizes: Iterator[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pieces of the next size, whatever that of the batches is; the last may be smaller.

    Where the shape of images changes from one batch to the next, a piece ends too. Images
    [N, ...], labels int64 [N].
    """
    waiting: list[tuple[Tensor, Tensor]] = []
    missing = next(sizes)

    def piece() -> tuple[Tensor, Tensor]:
        images, labels = (torch.cat(parts) for parts in zip(*waiting, strict=True))
        waiting.clear()
        return images.to(device), labels.long().to(device)

    for batch in loaded(batches):
        images, labels = pair_of(batch)
        if waiting and waiting[0][0].shape[1:] != images.shape[1:]:
            yield piece()
            missing = next(sizes)
        while len(labels):
            taken = min(missing, len(labels))
            waiting.append((images[:taken], labels[:taken]))
            images, labels, missing = images[taken:], labels[taken:], missing - taken
            if not missing:
                yield piece()
                missing = next(sizes)
    if waiting:
        yield piece()


def pair_of(batch: Any) -> tuple[Tensor, Tensor]:
    """Refuse what is not a batch of images and one of labels."""
    pair = isinstance(batch, tuple | list) and len(batch) == 2
    if not pair or not all(isinstance(part, Tensor) for part in batch):
        raise InputError(f"data: a batch is no pair of images and labels: {EXPECTED}")
    images, labels = batch
    return images, labels


def count(batches: Batches) -> int | None:
    """Number of images, where it is known beforehand."""
    if isinstance(batches, list):
        return sum(len(pair_of(batch)[1]) for batch in batches)
    try:
        return len(batches.dataset)  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        return None


def check_classes(batches: Batches, classes: int) -> None:
    """Refuse a folder whose classes are not those of the outputs: labels would be others."""
    images = getattr(batches, "dataset", None)
    if isinstance(images, Listed) and images.classes not in (None, classes):
        raise InputError(
            f"data: {images.classes} classes are known, but the network has {classes} outputs: "
            "give --class-map, a .txt file with the name of each output's folder, one a line"
        )


def check_labels(labels: Tensor, classes: int) -> None:
    """Refuse labels that the network has no output for."""
    if labels.ndim != 1:
        raise InputError(f"data: labels are {list(labels.shape)}: expected one class an image")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(
            f"data: labels go from {low} to {high}, but the network has {classes} outputs: "
            f"expected classes from 0 to {classes - 1}"
        )
