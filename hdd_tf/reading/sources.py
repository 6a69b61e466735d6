"""Reads the images of a data set by its name, from any source."""

import functools
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.data.catalogue import DIGITS, FOLDER
from hdd_tf.data.dataset import LabelledImages, SourceImages
from hdd_tf.data.names import Request, root_directory
from hdd_tf.data.sharing import ALONE, Sharing
from hdd_tf.data.subsets import (
    check_splits,
    kept_names,
    kept_rows,
    renumber,
    resolve_classes,
)
from hdd_tf.data_cache.cache import WITHOUT_CACHE, DataCache
from hdd_tf.data_cache.entry import Facts
from hdd_tf.data_cache.facts import facts_of_embedded, facts_of_files
from hdd_tf.data_cache.real_store import lies_on_disk
from hdd_tf.data_cache.setting import NOT_CACHED, CacheSetting
from hdd_tf.data_cache.writing_in_parts import Decoding
from hdd_tf.reading.digits import read_digits
from hdd_tf.reading.folders.class_folders import ImageFiles
from hdd_tf.reading.folders.folder import read_folder
from hdd_tf.reading.folders.image_files import fit_image, read_images
from hdd_tf.reading.folders.image_parts import decoding_of_files
from hdd_tf.reading.folders.own_files import FilesOfSplit
from hdd_tf.reading.unpacked import ARCHIVES, find_unpacked, list_unpacked


def read_source(
    name: str,
    data_dir: str | None,
    image_size: tuple[int, int] | None,
    classes: Sequence[str],
    caching: CacheSetting = NOT_CACHED,
    sharing: Sharing = ALONE,
) -> SourceImages:
    """Reads the images of a data set.

    Args:
        name: `digits`, `folder:DIR`, or a TFDS name; no alias.
        data_dir: Directory of prepared or unpacked sets, see `loading.load_dataset`.
        image_size: Height and width to fit the images to; None for their own.
        classes: Indices or names of the classes to keep; empty keeps all.
        caching: Where decoded images are kept.
        sharing: How several processes share the data.

    Raises:
        InputError: the set is unknown, missing, damaged, too large or unsuitable.
    """
    # Not in a folder of images, where it would be a class.
    own_root = os.path.expanduser(root_directory(data_dir))
    if name == DIGITS:
        return _read_digits(image_size, classes, caching.beside(own_root))
    if name.startswith(FOLDER):
        return read_folder(
            name.removeprefix(FOLDER),
            image_size,
            classes,
            caching.beside(own_root),
            sharing,
        )
    # TFDS takes seconds to import, and digits and folders do not need it.
    from hdd_tf.reading.archives import fetch_archive
    from hdd_tf.reading.tfds_builders import data_root, find_prepared, open_builder
    from hdd_tf.reading.tfds_features import classification_features
    from hdd_tf.reading.tfds_reader import read_splits

    request = Request.parse(name)
    root = data_root(data_dir)
    cache = caching.beside(root)
    if request.name in ARCHIVES and not find_prepared(request, root):
        folder = find_unpacked(request.name, pathlib.Path(root))
        if folder is None:
            folder = fetch_archive(request.name, root)
        return read_unpacked(request.name, folder, image_size, classes, cache, sharing)
    builder = open_builder(request, data_dir, image_size)
    features = classification_features(builder.info, image_size)
    # Only a record says which class it is of, so every process decodes all of them.
    return read_splits(builder, features, classes, cache)


def read_unpacked(
    name: str,
    folder: pathlib.Path,
    image_size: tuple[int, int] | None,
    classes: Sequence[str],
    cache: DataCache = WITHOUT_CACHE,
    sharing: Sharing = ALONE,
) -> SourceImages:
    """Reads TinyImageNet or ImageWoof from the files of its archive.

    The files are not prepared with TFDS first: decoding them takes no longer than
    reading a prepared copy.

    Args:
        name: `tiny_imagenet` or `imagewoof`.
        folder: Folder from `unpacked.find_unpacked`.
        image_size: Height and width to fit the images to, after the set's own size;
            None for the set's own size.
        classes: Indices or names of the classes to keep; empty keeps all.
        cache: Where decoded splits are, see `tfds_reader.read_splits`.
        sharing: How several processes share the data: the class of a file is known from
            its place, so a process reads the files of its own classes.

    Raises:
        InputError: files are missing or damaged, or memory cannot hold them.
    """
    files = list_unpacked(name, folder)
    kept = resolve_classes(classes, files.label_names)
    own_size = ARCHIVES[name].size, ARCHIVES[name].size
    size = image_size or own_size
    splits = {"train": files.training, "val": files.test}
    rows = {split: kept_rows(part.labels, kept) for split, part in splits.items()}
    counts = len(rows["train"]), len(rows["val"])
    total = sum(len(part.paths) for part in splits.values()) * math.prod((*size, 3))
    check_splits(name, dict(zip(("train", "val"), counts, strict=True)), classes)
    # The set's own size first: the published size is that of all other sizes.
    sizes = own_size, size

    @functools.cache
    def facts_of(split: str) -> Facts:
        return _facts(name, split, sizes, folder, splits[split], {})

    if not sharing.reads_all:
        training, test = (
            FilesOfSplit(
                name,
                ImageFiles(part.paths, renumber(part.labels, kept)),
                3,
                sizes,
                functools.partial(_facts, name, split, sizes, folder),
                splits[split],
                rows[split],
                is_kept=True,
            )
            for split in splits
            for part in [splits[split].take(rows[split])]
        )
        return SourceImages(
            name,
            training.read_own(cache, sharing),
            None,
            test.read_none(),
            kept_names(files.label_names, kept),
            len(files.training.paths),
            len(files.test.paths),
        )

    on_disk = lies_on_disk(
        cache, name, counts, (*size, 3), lambda: list(map(facts_of, splits))
    )

    def read(split: str) -> LabelledImages:
        if on_disk:
            whole = cache.stored(
                facts_of(split), decoding_of_files(splits[split], 3, *sizes)
            )
            chosen = whole if kept is None else whole.select(rows[split])
            return LabelledImages(chosen.images, renumber(chosen.labels, kept))
        facts = facts_of(split) if cache.is_there else None
        part = splits[split].take(rows[split])

        def decode() -> LabelledImages:
            return LabelledImages(read_images(part.paths, 3, *sizes), part.labels)

        if kept is None:
            return cache.whole(facts, decode, total)
        entry = cache.verified(facts)
        chosen = decode() if entry is None else entry.take(rows[split])
        return LabelledImages(chosen.images, renumber(chosen.labels, kept))

    return SourceImages(
        name,
        read("train"),
        None,
        read("val"),
        kept_names(files.label_names, kept),
        len(files.training.paths),
        len(files.test.paths),
    )


def _facts(
    name: str,
    split: str,
    sizes: Sequence[tuple[int, int]],
    folder: pathlib.Path,
    files: ImageFiles,
    more: Mapping[str, Any],
) -> Facts:
    """Returns what decides the images of some files of an unpacked set."""
    return facts_of_files(
        name, split, files.paths, files.labels, sizes, folder, more=more
    )


def _read_digits(
    image_size: tuple[int, int] | None, classes: Sequence[str], cache: DataCache
) -> SourceImages:
    *splits, label_names = read_digits()
    kept = resolve_classes(classes, label_names)
    counts = [len(part.labels) for part in splits]
    shape = (*(image_size or splits[0].images.shape[1:3]), 1)
    facts = [
        facts_of_embedded(DIGITS, split, count, shape)
        for split, count in zip(("train", "test"), counts, strict=True)
    ]
    on_disk = lies_on_disk(cache, DIGITS, counts, shape, lambda: facts)

    def fit(part: LabelledImages) -> LabelledImages:
        images = part.images
        if image_size:
            rows = range(len(images))
            images = np.stack([fit_image(images[row], image_size) for row in rows])
        return LabelledImages(images, part.labels)

    def choose(part: LabelledImages, about: Facts) -> LabelledImages:
        rows = kept_rows(part.labels, kept)
        if on_disk:
            whole = fit(part)
            decoding = Decoding(
                lambda: whole.labels,
                lambda start: iter([whole.take(np.arange(start, len(whole.labels)))]),
            )
            chosen = cache.stored(about, decoding).select(rows)
        else:
            chosen = fit(part.take(rows))
        return LabelledImages(chosen.images, renumber(chosen.labels, kept))

    training, test = map(choose, splits, facts)
    names = kept_names(label_names, kept)
    return SourceImages(DIGITS, training, None, test, names, *counts)
