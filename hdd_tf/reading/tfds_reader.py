"""Reads image classification sets that TFDS has prepared into arrays."""

import functools
import itertools
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from hdd_tf.data.catalogue import PUBLISHED
from hdd_tf.data.dataset import LabelledImages, SourceImages
from hdd_tf.data.memory import empty_images
from hdd_tf.data.subsets import (
    check_splits,
    kept_names,
    kept_rows,
    renumber,
    resolve_classes,
)
from hdd_tf.data_cache.cache import WITHOUT_CACHE, DataCache
from hdd_tf.data_cache.entry import Entry, Facts
from hdd_tf.data_cache.facts import facts_of_prepared
from hdd_tf.data_cache.real_store import lies_on_disk
from hdd_tf.data_cache.writing_in_parts import Decoding
from hdd_tf.errors import InputError, warn
from hdd_tf.reading.folders.image_files import fit_image
from hdd_tf.reading.tfds_features import ImageFeatures, calling_tfds
from hdd_tf.reading.tfds_trust import PREPARE_ANEW

_BATCH_BYTES = 2**22
_RESIZED_AT_ONCE = 64


def read_splits(
    builder: Any,
    features: ImageFeatures,
    classes: Sequence[str] = (),
    cache: DataCache = WITHOUT_CACHE,
) -> SourceImages:
    """Reads the training and the test split, always in the same order.

    Args:
        builder: `tfds.core.DatasetBuilder` of a prepared set.
        features: Image and label features of the set.
        classes: Indices or names of the classes to keep; empty keeps all.
        cache: Where decoded splits are. Splits of all classes are kept there; of chosen
            ones they are only read from there.

    Returns:
        The images of the split `train`, and of `test` or (without `test`) `validation`.

    Raises:
        InputError: a split is missing, damaged, unlabelled or too large for memory, or
            there is no such class.
    """
    name, splits = builder.info.name, builder.info.splits
    if "train" not in splits:
        raise InputError(
            f"{name} in {builder.data_dir} has no split 'train', only: "
            f"{', '.join(splits) or 'none'}."
        )
    held_out = next((split for split in ("test", "validation") if split in splits), "")
    if not held_out:
        raise InputError(
            f"{name} has only the splits {', '.join(splits)}, and a test split is "
            "needed: write a copy with the splits 'train' and 'test' by "
            "tfds.dataset_builders.store_as_tfds_dataset and give its --data_dir."
        )
    if held_out == "validation" and name not in PUBLISHED:
        warn(f"{name} has no test split: its validation split serves as one.")
    kept = resolve_classes(classes, features.label_names)
    used = ("train", held_out)
    counts = [splits[split].num_examples for split in used]
    facts: list[Facts | None] = [None, None]
    if cache.is_there:
        facts = [_facts(builder, features, split) for split in used]
    decodings = [_decoding(builder, features, split) for split in used]
    entries: list[Entry | None] = [None, None]
    rows: list[np.ndarray | None] = [None, None]
    if kept is not None:  # Only the labels say how many images there will be.
        entries = [cache.verified(each) for each in facts]
        labels = (
            entry.labels if entry else decoding.labels()
            for decoding, entry in zip(decodings, entries, strict=True)
        )
        rows = [kept_rows(each, kept) for each in labels]
    num_kept = [
        count if row is None else len(row)
        for count, row in zip(counts, rows, strict=True)
    ]
    if all(counts):  # Where a count is wrong, reading says so.
        check_splits(name, dict(zip(used, num_kept, strict=True)), classes)
    on_disk = lies_on_disk(cache, name, num_kept, features.shape, lambda: facts)
    size = sum(counts) * math.prod(features.shape)

    def read_part(
        split: str,
        about: Facts | None,
        entry: Entry | None,
        row: np.ndarray | None,
        decoding: Decoding,
    ) -> LabelledImages:
        def decode() -> LabelledImages:
            return _read_split(builder, features, split, row)

        if on_disk and about is not None:
            part = cache.stored(about, decoding)
            _check_labelled(name, features, split, part.labels)
            part = part if row is None else part.select(row)
            return LabelledImages(part.images, renumber(part.labels, kept))
        if row is None:
            part = cache.whole(about, decode, size)
            if about is not None:  # A stranger's entry has any labels.
                _check_labelled(name, features, split, part.labels)
            return part
        part = decode() if entry is None else entry.take(row)
        return LabelledImages(part.images, renumber(part.labels, kept))

    training, test = map(read_part, used, facts, entries, rows, decodings)
    read = (len(training.labels), len(test.labels))
    check_splits(name, dict(zip(used, read, strict=True)), classes)
    label_names = kept_names(features.label_names, kept)
    return SourceImages(name, training, None, test, label_names, *counts)


def _facts(builder: Any, features: ImageFeatures, split: str) -> Facts | None:
    keys = (features.image, features.label)
    return facts_of_prepared(builder, split, keys, features.shape, features.resized)


def _read_split(
    builder: Any, features: ImageFeatures, split: str, rows: np.ndarray | None
) -> LabelledImages:
    """Reads a split, or its `rows` in ascending order if they are given."""
    total = builder.info.splits[split].num_examples
    wanted = np.ones(total, bool)
    if rows is not None:
        wanted[:] = False
        wanted[rows] = True
    images = empty_images((int(np.count_nonzero(wanted)), *features.shape))
    labels = np.empty(len(images), np.int64)
    seen = done = 0
    for part in _parts(builder, features, split, 0):
        keep = wanted[seen : seen + len(part.labels)]
        seen += len(part.labels)
        chosen = part.take(np.flatnonzero(keep))
        images[done : done + len(chosen.labels)] = chosen.images
        labels[done : done + len(chosen.labels)] = chosen.labels
        done += len(chosen.labels)
    _check_labelled(builder.info.name, features, split, labels)
    return LabelledImages(images, labels)


def _decoding(builder: Any, features: ImageFeatures, split: str) -> Decoding:
    return Decoding(
        functools.cache(lambda: _read_labels(builder, features, split)),
        functools.partial(_parts, builder, features, split),
    )


def _parts(
    builder: Any, features: ImageFeatures, split: str, start: int
) -> Iterator[LabelledImages]:
    """Yields the images of a split from a row on, a few megabytes at a time."""
    total, seen = builder.info.splits[split].num_examples, start
    damaged = _damaged(builder, split)
    with calling_tfds(damaged):
        # Other features may be large, and need not be decoded.
        keys = {features.image: True, features.label: True}
        # Shards before that row are not read.
        rest = f"{split}[{start}:]" if start else split
        batches = _batches(_examples(builder, rest, keys), features)
        for images, labels in batches if start < total else ():
            seen += len(labels)
            # NumPy would repeat a smaller image until it fills a larger one.
            if images.shape[1:] != features.shape:
                raise ValueError(f"images of shape {images.shape[1:]}")
            if seen > total:
                raise ValueError(f"more than {total} images")
            yield LabelledImages(images, labels.astype(np.int64))
    if seen != total:
        raise InputError(f"{damaged} ({seen} images instead of {total})")


def _read_labels(builder: Any, features: ImageFeatures, split: str) -> np.ndarray:
    with calling_tfds(_damaged(builder, split)):
        examples = _examples(builder, split, {features.label: True}).batch(1024)
        batches = [batch[features.label].numpy() for batch in examples]
    labels = np.concatenate([np.empty(0, np.int64), *batches])
    total = builder.info.splits[split].num_examples
    if len(labels) != total:
        raise InputError(
            f"{_damaged(builder, split)} ({len(labels)} labels instead of {total})"
        )
    _check_labelled(builder.info.name, features, split, labels)
    return labels


def _examples(builder: Any, split: str, keys: dict[str, bool]) -> Any:
    """Returns the `tf.data.Dataset` of a split, always in the same order."""
    import tensorflow_datasets as tfds

    return builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(keys),
        # File by file; and no second copy in TensorFlow's cache.
        read_config=tfds.ReadConfig(
            interleave_cycle_length=1, try_autocache=False, skip_prefetch=True
        ),
    )


def _batches(
    examples: Any, features: ImageFeatures
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if features.resized:
        fit = functools.partial(fit_image, size=features.shape[:2])
        each = iter(examples.prefetch(16))  # Of different sizes, perhaps.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            while group := list(itertools.islice(each, _RESIZED_AT_ONCE)):
                images = [example[features.image].numpy() for example in group]
                labels = [example[features.label].numpy() for example in group]
                yield np.stack(list(pool.map(fit, images))), np.stack(labels)
        return
    batch_size = max(1, _BATCH_BYTES // int(np.prod(features.shape)))
    for batch in examples.batch(min(batch_size, 1024)).prefetch(2):
        yield batch[features.image].numpy(), batch[features.label].numpy()


def _damaged(builder: Any, split: str) -> str:
    return (
        f"the split '{split}' of {builder.info.name} in {builder.data_dir} is damaged: "
        f"{PREPARE_ANEW}"
    )


def _check_labelled(
    name: str, features: ImageFeatures, split: str, labels: np.ndarray
) -> None:
    outside = np.flatnonzero((labels < 0) | (labels >= len(features.label_names)))
    if len(outside):
        raise InputError(
            f"the split '{split}' of {name} has {len(outside):,} images without a "
            f"class (label {labels[outside[0]]}); only labelled splits can be used."
        )
