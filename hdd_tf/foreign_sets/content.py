"""What a file of another program holds, before anything is assumed of it."""

import dataclasses
import os
import stat

import numpy as np

from hdd_tf.data.memory import available_memory
from hdd_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class ForeignArrays:
    """Images and labels as they are in the files.

    Attributes:
        images: `[n, h, w, c]`, `[n, c, h, w]` or `[n, h, w]`, numbers of any dtype.
        labels: `[n]` numbers or texts, `[n, C]` rows, or None beside `soft`.
        soft: `[n, C]` soft labels, or None.
        soft_kind: `logits`, `probabilities`, or empty where the file does not say.
        names: Names of the classes that the labels count, or None for the data set's.
        mean: `[c]` that the file says its images are normalised with, or None.
        std: `[c]` likewise.
        cells: Training images along each side of an image, as the file says.
        scales: Scales (see `scales.SCALES`) that the program which writes such files
            can have used; empty where it may be any.
        channels_first: Whether images whose shape can be read both ways are
            `[n, c, h, w]`.
        note: What was chosen of the file, in words; empty if there was no choice.
    """

    images: np.ndarray
    labels: np.ndarray | None
    soft: np.ndarray | None = None
    soft_kind: str = ""
    names: tuple[str, ...] | None = None
    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    cells: int = 1
    scales: tuple[str, ...] = ()
    channels_first: bool = False
    note: str = ""


def check_ordinary(path: str | os.PathLike) -> None:
    """Checks that a file is no pipe or device, whose reader would wait.

    Raises:
        InputError: it is, or it cannot be looked at.
    """
    try:
        ordinary = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not ordinary:
        raise InputError(f"{path} is no ordinary file: give the file of a set")


def check_fits(path: str | os.PathLike, needed: int) -> None:
    """Checks that what a file unpacks to fits into memory, before it is unpacked.

    Args:
        path: The file.
        needed: Bytes.

    Raises:
        InputError: they do not.
    """
    available = available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{path} does not fit into memory: it holds {needed:,} bytes, and "
            f"{available:,} are available"
        )
