"""The images and the extras of a set in words, for whoever reads its `hdd_tf.json`."""

from collections.abc import Mapping
from typing import Any

from hdd_tf.artifacts.encodings.base import SOFT_LABELS_KEY
from hdd_tf.artifacts.sets.set_extras import EPOCH_LABELS_FILE, WHITENING_FILE
from hdd_tf.errors import one_line
from hdd_tf.methods.registry import traits_of

_WHITENED = (
    "networks train on ((x - mean) @ vectors / sqrt(values + epsilon)) @ vectors.T "
    "with x = image / 255, flattened in the order h, w, c; mean, vectors and values "
    f"are in {WHITENING_FILE}, epsilon is here under whitening; the entries mean and "
    "std are not applied"
)
_TRAINING = {
    "recipe": (
        "recipe: how networks train on the set; a learning rate is constant within an "
        "epoch, and the last batch of an epoch may be smaller."
    ),
    "student_rate": "student_rate: the learning rate that was learnt with the images.",
    SOFT_LABELS_KEY: (
        "label_logits, one row an image: their softmax are its label; images that are "
        "mixed mix their losses."
    ),
    "epoch_labels": (
        f"{EPOCH_LABELS_FILE}: batch b of epoch e has the images rows[e, b * "
        "batch_size:(b + 1) * batch_size]. Of each, cut out boxes (top, left, height, "
        "width), resize that to the image's size (bilinear, antialiased), mirror it "
        "where flips, and normalise it; then the rectangle cuts[e, b] (top, left, "
        "bottom, right) of each image becomes that of image number partners of the "
        "batch. logits are the label of what results."
    ),
    "teacher": (
        "teacher/: a SavedModel from [n, h, w, c] images on the 0-255 scale to logits, "
        "probabilities and label, which label each batch as a network sees it; its "
        "classes have the order of label_names."
    ),
}


def preprocessing(metadata: Mapping[str, Any]) -> str:
    """Returns a description of the images' preprocessing, in words."""
    if "whitening" in metadata:
        return _WHITENED
    return "networks train on (image / 255 - mean) / std, by channel"


def selection(metadata: Mapping[str, Any]) -> str:
    """Returns how a set without iterations was made, in words.

    Args:
        metadata: Metadata of the set, which anybody may have written.

    Returns:
        One line; empty for a set that iterations made.
    """
    traits, words = traits_of(metadata["objective"]), metadata.get("selected")
    is_selection = traits is not None and traits.is_selection
    return one_line(words) if is_selection and isinstance(words, str) else ""


def training(metadata: Mapping[str, Any]) -> list[str]:
    """Returns a description of the labels and the training of networks, in words."""
    return [words for key, words in _TRAINING.items() if key in metadata]
