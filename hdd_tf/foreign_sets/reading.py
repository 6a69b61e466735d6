"""From a set of another program to a `DistilledSet` of a data set."""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import numpy as np

from hdd_tf.artifacts.sets.distilled_set import metadata_without_run
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.data.dataset import Dataset
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.errors import InputError
from hdd_tf.foreign_sets import parquet_files, tfds_sets, torch_sets
from hdd_tf.foreign_sets.axes import channels_last, size
from hdd_tf.foreign_sets.content import ForeignArrays, check_fits
from hdd_tf.foreign_sets.image_folders import read_image_folders
from hdd_tf.foreign_sets.labels import find_labels
from hdd_tf.foreign_sets.npz_files import read_npz_set
from hdd_tf.foreign_sets.scales import choose_scale, to_pixels

NPZ = ".npz"


@dataclasses.dataclass(frozen=True)
class Told:
    """What the user says of a set that its files do not say.

    Attributes:
        scale: One of `scales.SCALES`, or `auto`.
        labels: One of `labels.KINDS`, or `auto`.
        cells: Training images along each side of an image; 0 for what the file says.
        number: Which of several sets in a file, from 1.
    """

    scale: str = "auto"
    labels: str = "auto"
    cells: int = 0
    number: int = 1


class ForeignSet(NamedTuple):
    """A set that was read.

    Attributes:
        content: The set, on the 0-255 scale.
        described: What was found and what was assumed, in one line.
        has_soft_labels: Whether networks are to train on its soft labels.
    """

    content: DistilledSet
    described: str
    has_soft_labels: bool


def check_readable(place: pathlib.Path) -> None:
    """Checks that there is something to read, before the data set is loaded.

    Raises:
        InputError: there is nothing, or a file of a kind that is not known.
    """
    if not place.exists():
        raise InputError(f"{place} does not exist: give the file or folder of a set")
    known = (NPZ, *torch_sets.SUFFIXES, parquet_files.SUFFIX)
    if not place.is_dir() and place.suffix.lower() not in known:
        raise InputError(
            f"{place} is a file that does not end in {', '.join(known)}: give one that "
            "does, or a folder with a folder of images for each class"
        )


def read_foreign_set(
    place: pathlib.Path, dataset: Dataset, told: Told | None = None
) -> ForeignSet:
    """Reads a set that another program made.

    Args:
        place: An `.npz`, `.pt` or `.parquet` file, a folder of images for each class, a
            TFDS directory, or a folder with `images_best.pt` and `labels_best.pt` or
            with the parquet files of a split.
        dataset: The data set that the set is of. Images whitened by ZCA need one with
            the whitening.
        told: What its files do not say.

    Raises:
        InputError: the set cannot be read, is not of the data set, or its values leave
            open what they are.
    """
    told = told or Told()
    check_readable(place)
    arrays = _read(place, dataset, told)
    _check_numbers(place, arrays.images)
    images, order = channels_last(place, arrays, dataset)
    plain = _normalisation(arrays, dataset)
    likely = plain or Normalisation(dataset.mean, dataset.std)
    scale = choose_scale(place, images, likely, told.scale, arrays.scales)
    if scale == "normalised" and plain is None:
        raise InputError(
            f"{place} holds a mean or std that cannot be used: both are needed, finite "
            f"numbers, one or {dataset.image_shape[-1]} of each, and std above 0; "
            "write them so, or leave both out for those of the data set"
        )
    by = plain if scale == "normalised" and plain else dataset.normalisation
    check_fits(place, 4 * images.size)
    labels = find_labels(place, arrays, dataset.label_names, told.labels)
    counts = np.bincount(labels.classes, minlength=dataset.num_classes)
    cells = told.cells or arrays.cells
    if not 1 <= cells <= max(dataset.image_shape[:2]):
        raise InputError(
            f"{place}: {cells} training images along each side of an image do not fit: "
            "give --set_cells=1, or the number there is"
        )
    content = DistilledSet(
        np.ascontiguousarray(to_pixels(images, scale, by), np.float32),
        labels.classes,
        _metadata(dataset, int(counts.max()), cells),
        labels.logits,
        whitening=dataset.whitening if scale == "zca" else None,
    )
    parts = [
        f"{place}: {len(images)} images of {size(dataset.image_shape)}{order}, "
        f"{_range(counts)} of each of {dataset.num_classes} classes",
        f"values from {images.min():.4g} to {images.max():.4g}, "
        f"{_in_words(scale, by, dataset)}"
        f"{' (--set_scale)' if told.scale != 'auto' else ''}",
        f"labels are {labels.kind}",
        f"{cells**2} training images in each" if cells > 1 else "",
        arrays.note,
    ]
    described = "; ".join(part for part in parts if part)
    return ForeignSet(content, described, labels.logits is not None)


def _metadata(dataset: Dataset, ipc: int, cells: int) -> dict[str, Any]:
    cut = {"formation_factor": cells, "decoded": cells == 1}
    return metadata_without_run(dataset, ipc) | cut


def _read(place: pathlib.Path, dataset: Dataset, told: Told) -> ForeignArrays:
    if place.is_dir():
        if (place / tfds_sets.INFO_FILE).is_file():
            return tfds_sets.read_tfds_set(place)
        tensors = torch_sets.image_file_in(place)
        if tensors is not None:
            return torch_sets.read_torch_set(tensors, told.number)
        if parts := parquet_files.parquet_files_in(place):
            return parquet_files.read_parquet_set(place, parts, dataset)
        return read_image_folders(place, dataset)
    if place.suffix.lower() == NPZ:
        return read_npz_set(place)
    if place.suffix.lower() == parquet_files.SUFFIX:
        return parquet_files.read_parquet_set(place, [place], dataset)
    return torch_sets.read_torch_set(place, told.number)


def _check_numbers(place: pathlib.Path, images: np.ndarray) -> None:
    if images.dtype.kind not in "iuf" or not images.size:
        raise InputError(
            f"{place} has images of {images.dtype} {images.shape}: write numbers, such "
            "as float32 or uint8 from 0 to 255, and at least one image a class"
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise InputError(
            f"{place} has images with values that are NaN or infinite: the run that "
            "made it diverged"
        )


def _normalisation(arrays: ForeignArrays, dataset: Dataset) -> Normalisation | None:
    """Returns mean and deviation that images can be normalised by: their own first.

    None where the file holds some that cannot be used.
    """
    if arrays.mean is None and arrays.std is None:
        return Normalisation(dataset.mean, dataset.std)
    channels = dataset.image_shape[-1]
    found = []
    for part in (arrays.mean, arrays.std):
        if part is None or part.dtype.kind not in "iuf" or not np.isfinite(part).all():
            return None
        if part.size not in (1, channels):
            return None
        found.append(np.broadcast_to(part.ravel(), channels).tolist())
    mean, std = (tuple(map(float, part)) for part in found)
    return Normalisation(mean, std) if min(std) > 0 else None


def _in_words(scale: str, by: Normalisation, dataset: Dataset) -> str:
    """Says what the values of images are taken for."""
    if scale == "zca":
        return "taken as whitened by ZCA of the training split"
    if scale != "normalised":
        return f"taken as pixels on the scale {scale}"
    of_data = (by.mean, by.std) == (dataset.mean, dataset.std)
    mean, std = (
        ", ".join(f"{value:.4g}" for value in part) for part in (by.mean, by.std)
    )
    whose = dataset.name if of_data else "the file"
    return f"taken as normalised by the mean {mean} and deviation {std} of {whose}"


def _range(counts: np.ndarray) -> str:
    least, most = counts.min(), counts.max()
    return f"{least}" if least == most else f"{least} to {most}"
