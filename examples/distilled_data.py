"""Reads a distilled set and the real images it stands for, without hdd_tf.

The examples beside this file share it. A distilled set is a folder that TensorFlow
Datasets loads by its path, and hdd_tf.json, which says what is in it. Where a stored
image is a grid of training images (IDM and DANCE), they are cut out here.
"""

import dataclasses
import pathlib

import default_keras  # noqa: F401
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from set_files import DAMAGED_FILE, fail, fail_damaged, find_set, read_extras

# What reading a damaged set raises.
DAMAGE = (*DAMAGED_FILE, tf.errors.OpError)


@dataclasses.dataclass(frozen=True)
class LabelledImages:
    """Images with their labels.

    Attributes:
        images: `[n, h, w, c]` on the 0-255 scale; uint8, or float32 with values that
            may lie outside it.
        labels: `[n]` int64.
        label_logits: `[n, C]` float32, whose softmax are soft labels; None without.
    """

    images: np.ndarray
    labels: np.ndarray
    label_logits: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "LabelledImages":
        """Returns the images of these rows."""
        logits = self.label_logits
        return LabelledImages(
            self.images[rows],
            self.labels[rows],
            None if logits is None else logits[rows],
        )


def read_distilled(path: pathlib.Path) -> tuple[LabelledImages, int, dict]:
    """Reads a distilled set.

    Args:
        path: The set's directory, or that of the run it belongs to.

    Returns:
        What networks train on; how many images are stored for each class; the contents
        of hdd_tf.json, where `student_rate` is the rate that the set has learnt and
        `recipe` how networks train on it, and the arrays of a whitening.
    """
    directory, metadata = find_set(path)
    try:
        builder = tfds.builder_from_directory(directory)
        examples = builder.as_dataset(split="train", batch_size=-1)
        # Sets exported as PNG hold integers.
        images = examples["image"].numpy().astype(np.float32)
        labels = examples["label"].numpy()
        soft = "soft_labels" in metadata
        label_logits = examples["label_logits"].numpy() if soft else None
        factor, decoded = metadata["formation_factor"], metadata["decoded"]
        metadata = read_extras(directory, metadata)
    except DAMAGE:
        fail_damaged(directory)
    if factor > 1 and not decoded:
        images, labels = cut_out(images, factor), np.tile(labels, factor**2)
        if label_logits is not None:
            label_logits = np.tile(label_logits, (factor**2, 1))
    ipc = int(np.bincount(labels).max()) // factor**2
    return LabelledImages(images, labels, label_logits), ipc, metadata


def cut_out(images: np.ndarray, factor: int) -> np.ndarray:
    """Cuts a grid of factor x factor images out of each, enlarged to a whole image.

    Args:
        images: `[n, h, w, c]` on the 0-255 scale.
        factor: Images along each side.

    Returns:
        `[factor ** 2 * n, h, w, c]`: the top left one of all n, then the next.
    """
    height, width = images.shape[1:3]
    # Sides that the factor does not divide end in grey.
    missing = (0, -height % factor), (0, -width % factor)
    images = np.pad(images, ((0, 0), *missing, (0, 0)), constant_values=127.5)
    cells = [
        cell
        for row in np.split(images, factor, axis=1)
        for cell in np.split(row, factor, axis=2)
    ]
    return tf.image.resize(np.concatenate(cells), (height, width), "bilinear").numpy()


def read_real(
    metadata: dict, data_dir: str | None
) -> tuple[LabelledImages, LabelledImages]:
    """Reads the training and the test images of the data set that was distilled.

    Args:
        metadata: Contents of the distilled set's hdd_tf.json.
        data_dir: Where TFDS keeps its data sets; None for its default.
    """
    name = metadata["dataset"]
    if any(metadata["source"].get(flag) for flag in ("classes", "image_size")):
        fail(f"sets made with --classes or --image_size of {name} are not read here")
    if name == "digits":
        return _read_digits()
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, tfds.core.DatasetNotFoundError):
        fail(f"the set was made of {name}, which TFDS does not know: not read here")
    if not builder.data_path.exists():
        fail(f"{name} is not in {builder.data_path}: give the run's --data_dir")
    if not builder.info.features.keys() >= {"image", "label"}:
        fail(f"{name} is not a set of images with a label: not read here")
    shape = builder.info.features["image"].shape
    if shape != tuple(metadata["image_shape"]):
        fail(f"{name} has images of {shape}, the set {metadata['image_shape']}")
    splits = builder.info.splits
    # Scores are on the validation split where there is no test split with labels.
    names = ["train", "test" if "test" in splits else "validation"]
    if not splits.keys() >= set(names):
        fail(f"{name} has no train and test split")
    training, test = (
        LabelledImages(part["image"].numpy(), part["label"].numpy())
        for part in builder.as_dataset(split=names, batch_size=-1)
    )
    return training, test


def _read_digits() -> tuple[LabelledImages, LabelledImages]:
    """Reads scikit-learn's digits, split and enlarged as hdd_tf does."""
    from sklearn.datasets import load_digits

    scans, labels = load_digits(return_X_y=True)
    images = tf.image.resize(scans.reshape(-1, 8, 8, 1), (32, 32), "bilinear")
    images = np.rint(images.numpy() * np.float32(255 / 16)).astype(np.uint8)
    is_test = np.zeros(len(labels), bool)
    for digit in range(10):
        rows = np.flatnonzero(labels == digit)
        quota = round(len(rows) * 500 / len(labels))
        is_test[rows[(2 * np.arange(quota) + 1) * len(rows) // (2 * quota)]] = True
    whole = LabelledImages(images, labels.astype(np.int64))
    return whole.take(np.flatnonzero(~is_test)), whole.take(np.flatnonzero(is_test))


def choose_at_random(training: LabelledImages, ipc: int, seed: int) -> LabelledImages:
    """Chooses real images, `ipc` of each class."""
    generator = np.random.default_rng(seed)
    rows = [
        generator.permutation(np.flatnonzero(training.labels == label))[:ipc]
        for label in np.unique(training.labels)
    ]
    return training.take(np.concatenate(rows))
