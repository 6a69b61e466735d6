"""Float images in one NumPy file that can be used on its own."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings.base import Encoding, check_bytes, num_logits
from hdd_tf.files.npz_file import read_npz, write_npz

FILE = "distilled.npz"
_ARRAYS = {
    "images": "[n, h, w, c] float32 on the 0-255 scale, not clipped",
    "labels": "[n] int64, rows of label_names",
    "mean": "[c] of images scaled to 0-1; networks take (images / 255 - mean) / std",
    "std": "[c] likewise",
    "label_names": "[classes]",
    "cells": "training images along each side of an image; 1: an image is one",
}
LOGITS_ARRAY = {"label_logits": "[n, classes] float32; their softmax are soft labels"}


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
        label_logits: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Writes images, labels and the normalisation; see the base class."""
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
        described = dict(_ARRAYS)
        if label_logits is not None:
            arrays["label_logits"] = label_logits
            described |= LOGITS_ARRAY
        write_npz(directory / FILE, arrays)
        return {"layout": {"file": FILE, "arrays": described}}

    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Reads images and labels; see the base class."""
        path, count = directory / FILE, metadata["num_images"]
        check_bytes(metadata, path.stat().st_size, per_value=4)
        shape = (count, *metadata["image_shape"])
        expected: dict[str, tuple[type, tuple[int, ...]]] = {
            "images": (np.float32, shape),
            "labels": (np.int64, (count,)),
        }
        if classes := num_logits(metadata):
            expected["label_logits"] = np.float32, (count, classes)
        arrays = read_npz(path, expected)
        return arrays["images"], arrays["labels"], arrays.get("label_logits")
