"""What a set carries beside images and labels, in the folder `extras/` of the Hub."""

import pathlib
from collections.abc import Sequence

import numpy as np

from hdd_tf.artifacts.encodings.base import SOFT_LABELS_KEY
from hdd_tf.artifacts.sets import set_extras, set_words
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.files import atomic
from hdd_tf.files.json_text import to_plain

EXTRAS = "extras"
_TRAINING = "training.json"


def write_hub_extras(
    directory: pathlib.Path, distilled_set: DistilledSet
) -> Sequence[str]:
    """Writes the files that sets of every encoding have, and `training.json`.

    Args:
        directory: Directory of the export.
        distilled_set: The set, whose images have their order in the export.

    Returns:
        How to use each, in words; empty, and nothing is written, for a set of images
        and labels.
    """
    metadata = distilled_set.metadata
    entries = set_extras.describe_extras(distilled_set)
    # These lie beside the images, and the card tells of them.
    entries.pop(SOFT_LABELS_KEY, None)
    if "recipe" in metadata:
        entries["recipe"] = metadata["recipe"]
    if not entries:
        return ()
    words = [set_words.preprocessing(entries), *set_words.training(entries)]
    place = directory / EXTRAS
    place.mkdir()
    set_extras.write_extras(place, distilled_set, np.arange(len(distilled_set.labels)))
    described = {
        "training": words,
        "label_names": list(distilled_set.class_names),
        "mean": metadata["mean"],
        "std": metadata["std"],
        **entries,
    }
    atomic.write_json(place / _TRAINING, to_plain(described))
    return words


def are_extras(place: pathlib.Path) -> bool:
    """Returns True if a folder is missing, or holds no more than is written here."""
    found = {
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if not path.is_dir()
    }
    return found <= set_extras.FILES | {_TRAINING}
