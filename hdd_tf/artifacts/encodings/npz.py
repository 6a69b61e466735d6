"""Float images in one NumPy file that can be used on its own."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings.base import Encoding, check_bytes
from hdd_tf.artifacts.encodings.npz_file import read_npz, write_npz

FILE = "distilled.npz"
_ARRAYS = {
    "images": "[n, h, w, c] float32 on the 0-255 scale, not clipped",
    "labels": "[n] int64, rows of label_names",
    "mean": "[c] of images scaled to 0-1; networks take (images / 255 - mean) / std",
    "std": "[c] likewise",
    "label_names": "[classes]",
    "cells": "training images along each side of an image; 1: an image is one",
}


class Npz(Encoding):
    """Lossless, and readable with NumPy alone."""

    name = "npz"
    files = frozenset({FILE})

    def write(
        self,
        directory: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        metadata: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Writes images, labels and what networks need to know; see the base class."""
        decoded = metadata.get("decoded", False)
        cells = 1 if decoded else metadata.get("formation_factor", 1)
        arrays = {
            "images": images,
            "labels": labels,
            "mean": np.asarray(metadata["mean"], np.float32),
            "std": np.asarray(metadata["std"], np.float32),
            "label_names": np.array([str(name) for name in metadata["label_names"]]),
            "cells": np.array(cells, np.int64),
        }
        write_npz(directory / FILE, arrays)
        return {"layout": {"file": FILE, "arrays": _ARRAYS}}

    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reads images and labels; see the base class."""
        path, count = directory / FILE, metadata["num_images"]
        check_bytes(metadata, path.stat().st_size, per_value=4)
        shape = (count, *metadata["image_shape"])
        arrays = read_npz(
            path, {"images": (np.float32, shape), "labels": (np.int64, (count,))}
        )
        return arrays["images"], arrays["labels"]
