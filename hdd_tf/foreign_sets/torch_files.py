"""Sets in PyTorch's `.pt` files, of the programs of DC, DM, IDM, MTT and others.

A `.pt` file is a pickle, which can run any program. PyTorch's reader for files from
elsewhere, `torch.load(weights_only=True)`, builds tensors and plain values only.
"""

import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.content import check_fits, check_ordinary

# Before it, the restricted reader could be made to run programs (CVE-2025-32434).
_OLDEST = (2, 6)
# NumPy's numbers, which programs save beside their images (accuracies): no part of a
# set, so what the file says of them is dropped instead of allowed.
_IGNORED = (
    *("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    *("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"),
    *("numpy.ndarray", "numpy.dtype"),
)


class _Ignored:
    """Stands for a value of a file that is not read."""

    def __init__(self, *values: Any) -> None:
        del values

    def __setstate__(self, state: Any) -> None:
        del state


def load_tensors(path: pathlib.Path) -> Any:
    """Returns what a `.pt` file holds, its tensors as arrays.

    Args:
        path: The file, as `torch.save` has written it since PyTorch 1.6.

    Returns:
        An array, or dicts, lists and tuples of arrays and plain values.

    Raises:
        InputError: PyTorch is missing or too old, or the file is damaged, holds other
            things than tensors and plain values, or does not fit into memory.
    """
    check_ordinary(path)
    _check_archive(path)
    torch = _import_torch(path)
    try:
        allowed = [(_Ignored, name) for name in _IGNORED]
        with torch.serialization.safe_globals(allowed):
            value = torch.load(path, map_location="cpu", weights_only=True)
        return _as_arrays(torch, value)
    except InputError:
        raise
    # PyTorch documents no exceptions for damaged files, and it says of a refused one
    # how to read it without protection: neither is repeated.
    except Exception as error:
        raise InputError(
            f"{path} is damaged, or holds other things than tensors, which are not "
            "read: write numpy.savez(FILE, images=images.numpy(), "
            "labels=labels.numpy()) where you trust it, and give that .npz"
        ) from error


def _check_archive(path: pathlib.Path) -> None:
    """Checks that the file is a ZIP archive whose contents fit into memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            stored = sum(info.file_size for info in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(
            f"{path} is no .pt file of PyTorch 1.6 or newer, or is damaged: save it "
            "anew by torch.save"
        ) from error
    # PyTorch does not compress; a file that unpacks to more is not of PyTorch.
    if stored > os.path.getsize(path):
        raise InputError(f"{path} is compressed, or damaged: save it by torch.save")
    check_fits(path, stored)


def _import_torch(path: pathlib.Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path} is read by PyTorch, which is not installed here: pip install "
            "torch (the one for CPUs will do), or convert it where PyTorch is by "
            "numpy.savez(FILE, images=images.numpy(), labels=labels.numpy())"
        ) from error
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < _OLDEST:
        raise InputError(
            f"{path} needs PyTorch 2.6 or newer, whose reader of files from elsewhere "
            f"is safe, and {torch.__version__} is installed: pip install -U torch"
        )
    return torch


def _as_arrays(torch: Any, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return _as_array(torch, value)
    if isinstance(value, dict):
        return {key: _as_arrays(torch, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_arrays(torch, item) for item in value]
    return value


def _as_array(torch: Any, tensor: Any) -> np.ndarray:
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise ValueError("a sparse or quantised tensor")
    # A stride of 0 would make any number of values from one.
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor that is larger than its values")
    plain = tensor.detach()
    if plain.dtype in (torch.bfloat16, torch.float16):
        plain = plain.float()
    return plain.numpy()
