"""Files of named NumPy arrays, read without trust."""

import math
import pathlib
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt

# Version of the header of an array's file; later ones are for named fields.
_VERSION = (1, 0)


def write_npz(path: pathlib.Path | IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as `numpy.savez` does, but never a pickle.

    Raises:
        ValueError: an array holds Python objects.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, _VERSION, allow_pickle=False)


def read_npz(
    path: pathlib.Path, expected: Mapping[str, tuple[npt.DTypeLike, Sequence[int]]]
) -> dict[str, np.ndarray]:
    """Reads arrays of known dtype and shape.

    `numpy.load` would allocate as much memory as a file's header asks for. Here a
    header that differs from `expected`, or a compressed array, is an error before
    memory is allocated.

    Args:
        path: The file.
        expected: Dtype and shape of each array, by name.

    Returns:
        The arrays by name.

    Raises:
        OSError: the file does not exist or cannot be read.
        ValueError: an array is missing, damaged, or of another dtype or shape; or the
            file is smaller than the arrays.
        MemoryError: the arrays do not fit into memory.
    """
    needed = sum(
        math.prod(shape) * np.dtype(dtype).itemsize
        for dtype, shape in expected.values()
    )
    if needed > path.stat().st_size:
        raise ValueError(f"{path.name} is smaller than its arrays")
    arrays = {}
    # NumPy and zipfile document no exceptions for damaged headers: SyntaxError,
    # TypeError, tokenize's and zlib's have all been seen. NumPy also warns of some.
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
            warnings.simplefilter("ignore")
            for name, (dtype, shape) in expected.items():
                member = archive.getinfo(f"{name}.npy")
                if member.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{name} is compressed")
                with archive.open(member) as file:
                    _check_head(file, name, np.dtype(dtype), tuple(shape))
                with archive.open(member) as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
                arrays[name] = array
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{path.name} is not whole: {error}") from error
    return arrays


def _check_head(
    file: IO[bytes], name: str, dtype: np.dtype, shape: tuple[int, ...]
) -> None:
    if np.lib.format.read_magic(file) != _VERSION:
        raise ValueError(f"{name} has a head of another version")
    found_shape, _, found_dtype = np.lib.format.read_array_header_1_0(file)
    if (found_shape, found_dtype) != (shape, dtype):
        raise ValueError(f"{name} is {found_dtype} {found_shape}")
