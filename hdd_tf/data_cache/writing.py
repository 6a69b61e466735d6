"""Writes the files of a decoded split, all of which is in memory."""

import pathlib

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data_cache.entry import FACTS, IMAGES, LABELS, Facts, rows_of_chunk
from hdd_tf.files import atomic
from hdd_tf.files.checksums import describe_files, seal


def write_entry(directory: pathlib.Path, facts: Facts, part: LabelledImages) -> None:
    """Writes a split, in place of what the directory holds.

    Args:
        directory: Where to; whoever looks sees all of it or nothing.
        facts: What decided the images.
        part: The images.

    Raises:
        OSError: the directory cannot be written.
    """
    order = np.argsort(part.labels, kind="stable")
    rows = rows_of_chunk(facts.shape)
    with atomic.new_directory(directory) as partial:
        with (partial / IMAGES).open("xb") as file:
            for start in range(0, len(order), rows):
                # Not `tofile`, whose error on a full disk has no number.
                file.write(part.images[order[start : start + rows]].data)
        (partial / LABELS).write_bytes(part.labels.astype("<i8").tobytes())
        write_facts(partial, facts, part.labels, part.checksum)


def write_facts(
    directory: pathlib.Path, facts: Facts, labels: np.ndarray, checksum: str
) -> None:
    """Writes the description of an entry whose other files are there.

    Args:
        directory: The entry, or what will be it.
        facts: What decided the images.
        labels: `[n]` int64 in the order of the split.
        checksum: Of images and labels in that order, as `LabelledImages` has it.
    """
    content = {
        **facts.recipe,
        "source": dict(facts.source),
        "class_sizes": np.bincount(labels).tolist(),
        "sha256": checksum,
        "files": describe_files(directory, (IMAGES, LABELS)),
    }
    atomic.write_json_of_numbers(directory / FACTS, seal(content))
