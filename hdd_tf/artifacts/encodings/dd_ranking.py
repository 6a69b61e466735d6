"""The arrays that the DD-Ranking benchmark takes as tensors.

The benchmark trains on an image tensor without preprocessing, so the images must be
normalised and have channels first. Without labels the benchmark assumes that images are
ordered by class. It normalises test images with constants of its own. If it has
constants for a data set, the training images use them too, because a network must see
both in the same way. (The constants differ from DM's for CIFAR-100.)

Source: github.com/NUS-HPC-AI-Lab/DD-Ranking, ddranking/metrics/hard_label.py and
ddranking/utils/data.py; metrics/soft_label.py, whose soft labels are logits.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings.base import Encoding, check_bytes, num_logits
from hdd_tf.artifacts.encodings.npz import LOGITS_ARRAY
from hdd_tf.errors import InputError
from hdd_tf.files.npz_file import read_npz, write_npz

FILE = "dd_ranking.npz"
_CIFAR = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Mean and standard deviation per channel, by hdd_tf's names of data sets.
_NORMALISATION = {
    "cifar10": _CIFAR,
    "cifar100": _CIFAR,
    "tiny_imagenet": _IMAGENET,
    "imagewoof": _IMAGENET,
}
_LAYOUT: dict[str, Any] = {
    "file": FILE,
    "arrays": {
        "images": "[n, c, h, w] float32, normalised: (image / 255 - mean) / std",
        "labels": "[n] int64, ascending",
        "mean": "[c] that the images are normalised with",
        "std": "[c] likewise",
        "label_names": "[classes]",
    },
    "usage": "arrays = numpy.load('dd_ranking.npz'); "
    "evaluator.compute_metrics(image_tensor=torch.from_numpy(arrays['images']), "
    "hard_labels=torch.from_numpy(arrays['labels']), syn_lr=0.01)",
}
_SOFT_USAGE = (
    "arrays = numpy.load('dd_ranking.npz'); evaluator = "
    "SoftLabelEvaluator(soft_label_mode='S', ...); evaluator.compute_metrics("
    "image_tensor=torch.from_numpy(arrays['images']), "
    "soft_labels=torch.from_numpy(arrays['label_logits']), syn_lr={rate!r})"
)


class DdRanking(Encoding):
    """Normalised `[n, c, h, w]` floats, class after class."""

    name = "dd_ranking"
    files = frozenset({FILE})
    class_major = True

    def write(
        self,
        directory: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        metadata: Mapping[str, Any],
        label_logits: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Writes normalised images; see the base class."""
        if metadata.get("formation_factor", 1) > 1 and not metadata.get("decoded"):
            raise InputError(
                "DD-Ranking trains on images as they are, and these hold several each: "
                "export the decoded ones (--images=decoded)"
            )
        if "whitening" in metadata:
            raise InputError(
                "DD-Ranking normalises its test images by constants, and these images "
                "are for networks that take whitened ones: take another encoding"
            )
        order = self.order(labels)
        own = metadata["mean"], metadata["std"]
        mean, std = _NORMALISATION.get(metadata["dataset"], own)
        normalised = (images[order] / 255 - np.float64(mean)) / np.float64(std)
        arrays = {
            "images": np.moveaxis(normalised, -1, 1).astype(np.float32, order="C"),
            "labels": labels[order],
            "mean": np.asarray(mean, np.float32),
            "std": np.asarray(std, np.float32),
            "label_names": np.array([str(name) for name in metadata["label_names"]]),
        }
        layout = {**_LAYOUT, "mean": mean, "std": std}
        if label_logits is not None:
            arrays["label_logits"] = label_logits[order]
            layout["arrays"] = {**_LAYOUT["arrays"], **LOGITS_ARRAY}
            rate = metadata.get("student_rate", 0.01)
            layout["usage"] = _SOFT_USAGE.format(rate=rate)
        write_npz(directory / FILE, arrays)
        return {"layout": layout}

    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Reads the arrays back onto the 0-255 scale; see the base class."""
        path, count = directory / FILE, metadata["num_images"]
        check_bytes(metadata, path.stat().st_size, per_value=4)
        height, width, channels = metadata["image_shape"]
        expected: dict[str, tuple[type, tuple[int, ...]]] = {
            "images": (np.float32, (count, channels, height, width)),
            "labels": (np.int64, (count,)),
            "mean": (np.float32, (channels,)),
            "std": (np.float32, (channels,)),
        }
        if classes := num_logits(metadata):
            expected["label_logits"] = np.float32, (count, classes)
        arrays = read_npz(path, expected)
        images = np.moveaxis(arrays["images"], 1, -1)
        pixels = (images * np.float64(arrays["std"]) + arrays["mean"]) * 255
        pixels = pixels.astype(np.float32, order="C")
        return pixels, arrays["labels"], arrays.get("label_logits")
