"""What of a `.pt` file's tensors is a set: the layouts of published programs."""

import pathlib
from typing import Any

import numpy as np

from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.content import ForeignArrays
from hdd_tf.foreign_sets.torch_files import load_tensors

SUFFIXES = (".pt", ".pth")
_IMAGES = ("images", "image", "image_syn", "x")
_LABELS = ("labels", "label", "label_syn", "y")
# DC's program and those made from it (DM, DSA, CAFE, IDM) write normalised pixels.
_OF_DC = ("normalised",)
# MTT's program does too, or whitens them (--zca), and does not note which.
_OF_MTT = ("normalised", "zca")


def read_torch_set(path: pathlib.Path, number: int = 1) -> ForeignArrays:
    """Reads a set from a `.pt` file.

    Args:
        path: A file `{"data": [[images, labels], ...]}` as DC's and DM's programs write
            it, with a set for each experiment; images and labels in a dict or a list;
            or images alone (`images_best.pt` of MTT's program) with their labels in a
            file beside it (`labels_best.pt`).
        number: Which of several sets, from 1.

    Raises:
        InputError: PyTorch is missing, or there are no images with labels.
    """
    value = load_tensors(path)
    if isinstance(value, np.ndarray):
        labels = load_tensors(_labels_beside(path))
        _check_pair(path, value, labels)
        _check_number(path, number, 1)
        return ForeignArrays(value, labels, scales=_OF_MTT, channels_first=True)
    pairs, scales = _pairs(path, value)
    _check_number(path, number, len(pairs))
    images, labels = pairs[number - 1]
    _check_pair(path, images, labels)
    note = f"set {number} of {len(pairs)} (--set_number)" if len(pairs) > 1 else ""
    return ForeignArrays(images, labels, scales=scales, channels_first=True, note=note)


def image_file_in(directory: pathlib.Path) -> pathlib.Path | None:
    """Returns the file of images in a folder of MTT's program; None if there is none.

    Raises:
        InputError: there are several, and none of them is the best one.
    """
    found = sorted(
        path for path in directory.glob("images*") if path.suffix in SUFFIXES
    )
    best = [path for path in found if path.stem == "images_best"]
    if len(found) > 1 and len(best) != 1:
        raise InputError(
            f"{directory} has several sets: name one, such as --set={found[-1]}"
        )
    return next(iter(best or found), None)


def _pairs(path: pathlib.Path, value: Any) -> tuple[list[Any], tuple[str, ...]]:
    """Returns pairs of images and labels, and the scales their program writes."""
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return _as_pairs(value["data"]), _OF_DC
    if isinstance(value, dict):
        images = [value[name] for name in _IMAGES if name in value]
        labels = [value[name] for name in _LABELS if name in value]
        if len(images) == len(labels) == 1:
            return [(images[0], labels[0])], ()
        keys = ", ".join(map(str, value))[:200]
        raise InputError(
            f"{path} has no images and labels among {keys or 'nothing'}: save "
            "{'images': images, 'labels': labels} by torch.save"
        )
    if isinstance(value, list) and value:
        return _as_pairs(value), ()
    raise InputError(f"{path} holds no tensors: give the file of a set")


def _as_pairs(values: list[Any]) -> list[Any]:
    if len(values) >= 2 and all(isinstance(item, np.ndarray) for item in values[:2]):
        return [(values[0], values[1])]
    return [
        tuple(item[:2]) if isinstance(item, list) and len(item) >= 2 else (item, None)
        for item in values
    ]


def _check_pair(path: pathlib.Path, images: Any, labels: Any) -> None:
    if not (isinstance(images, np.ndarray) and isinstance(labels, np.ndarray)):
        raise InputError(
            f"{path} does not hold images with labels: save {{'images': images, "
            "'labels': labels} by torch.save"
        )


def _check_number(path: pathlib.Path, number: int, count: int) -> None:
    if number > count:
        raise InputError(
            f"--set_number={number}: {path} has {count}, counted from 1"
            if count
            else f"{path} holds no set: an experiment that was not finished"
        )


def _labels_beside(path: pathlib.Path) -> pathlib.Path:
    named = path.name.replace("images", "labels").replace("image", "label")
    if named == path.name or not (path.parent / named).is_file():
        wanted = named if named != path.name else "labels.pt"
        raise InputError(
            f"{path} holds images without labels, and there is no {wanted} beside "
            "it: put it there, or save {'images': images, 'labels': labels}"
        )
    return path.parent / named
