"""The user's own images, in folders of their class: `--dataset=folder:DIR`."""

import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.data.catalogue import FOLDER
from hdd_tf.data.class_sizes import check_two_classes
from hdd_tf.data.dataset import LabelledImages, SourceImages
from hdd_tf.data.names import no_such_folder
from hdd_tf.data.sharing import ALONE, Sharing
from hdd_tf.data.subsets import check_splits
from hdd_tf.data_cache.cache import WITHOUT_CACHE, DataCache
from hdd_tf.data_cache.entry import Facts
from hdd_tf.data_cache.facts import facts_of_files
from hdd_tf.data_cache.real_store import lies_on_disk
from hdd_tf.errors import one_line, warn
from hdd_tf.reading.folders.chosen_files import chosen_files, with_test_split
from hdd_tf.reading.folders.class_folders import FolderLister, ImageFiles
from hdd_tf.reading.folders.folder_format import (
    Format,
    common_format,
    refuse_transparency_alone,
    remarks_on,
)
from hdd_tf.reading.folders.image_files import read_images
from hdd_tf.reading.folders.image_parts import decoding_of_files
from hdd_tf.reading.folders.known_headers import KnownHeaders
from hdd_tf.reading.folders.linked_images import remarks_on_links
from hdd_tf.reading.folders.own_files import FilesOfSplit
from hdd_tf.reading.folders.split_folders import find_splits


def read_folder(
    directory: str,
    image_size: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
    cache: DataCache = WITHOUT_CACHE,
    sharing: Sharing = ALONE,
) -> SourceImages:
    """Reads a folder of class folders, or one of `train/`, `validation/`, `test/`.

    A class is called like its folder, and classes are numbered in the order of their
    names. Without `test/`, or without class folders in it, the validation split serves
    as one, without both a fifth of each class is held out, which a line says. Images
    stay gray if all of them are; otherwise all are read as RGB.

    Args:
        directory: The folder.
        image_size: Height and width to fit each image to (see `image_files.fit_image`);
            None where all have one size already.
        classes: Indices or names of the classes to keep; empty for all.
        cache: Where images lie that do not fit into memory; others are not kept.
        sharing: How several processes share the data: the class of a file is known from
            its place, so a process reads the files of its own classes.

    Raises:
        InputError: the folder, or what lies in it, cannot be used as it is.
    """
    root = pathlib.Path(directory).expanduser()
    if not root.is_dir():
        raise no_such_folder(str(directory))
    lister = FolderLister(root)
    found = find_splits(root, lister)
    files, label_names = chosen_files(lister, found, classes)
    check_two_classes(f"{root} has", label_names, ", each in a folder of its own")
    check_splits(
        str(root), {split: len(part.paths) for split, part in files.items()}, classes
    )
    files, note = with_test_split(root, files, len(label_names))
    headers, form = _agreed_format(files, image_size, root, cache, sharing)
    if not sharing.reads_all:
        return _read_own(root, files, form, label_names, cache, sharing)
    num_training, *others = (len(part.paths) for part in files.values())
    shape = (*form.size, form.channels)

    @functools.cache
    def facts() -> dict[str, Facts]:
        return {
            split: _facts(root, split, form, part, {}) for split, part in files.items()
        }

    counts = [num_training, *others]
    if lies_on_disk(cache, str(root), counts, shape, lambda: list(facts().values())):
        if headers is not None and cache.keeps:
            headers.keep(form.bits)
        headers = None  # A million of them would take 30 MB.
        read = {
            split: _stored_part(cache, facts()[split], part, form)
            for split, part in files.items()
        }
    else:
        read = {split: _read_part(part, form) for split, part in files.items()}
    refuse_transparency_alone(root, form, read["train"].images)
    # Only now: what cannot be used is answered in one line.
    lister.warn_of_left_out()
    linked = remarks_on_links(files, label_names) if lister.has_links else []
    for line in (*found.notes, note, *linked, *remarks_on(form, files, read)):
        if line:
            warn(line)
    return SourceImages(
        _shown_name(root),
        read["train"],
        read.get("validation"),
        read["test"],
        label_names,
        num_training,
        len(read["test"].labels),
    )


def _read_part(part: ImageFiles, form: Format) -> LabelledImages:
    """Reads the images of a split, and notes those that are transparent."""
    images = read_images(
        part.paths,
        form.channels,
        form.size,
        bits=form.bits,
        on_transparent=form.transparent.append,
    )
    return LabelledImages(images, part.labels)


def _agreed_format(
    files: dict[str, ImageFiles],
    image_size: tuple[int, int] | None,
    root: pathlib.Path,
    cache: DataCache,
    sharing: Sharing,
) -> tuple[KnownHeaders | None, Format]:
    """Returns the headers of all files, for which the chief alone opens files.

    Returns:
        The headers, None where the chief has them; and the format of all images.
    """
    headers: KnownHeaders | None = None
    form: Format | None = None

    def find() -> list[int]:
        nonlocal headers, form
        headers = KnownHeaders(files, root, cache)
        form = common_format(files, headers, image_size)
        return [*form.size, form.channels, form.bits]

    height, width, channels, bits = sharing.of_chief("format of the images", find)
    return headers, form or Format.known((height, width), channels, bits)


def _read_own(
    root: pathlib.Path,
    files: dict[str, ImageFiles],
    form: Format,
    label_names: tuple[str, ...],
    cache: DataCache,
    sharing: Sharing,
) -> SourceImages:
    """Reads the training images of this process' classes, and no others."""
    splits = {
        split: FilesOfSplit(
            str(root),
            part,
            form.channels,
            (form.size,),
            functools.partial(_facts, root, split, form),
            part,
            np.arange(len(part.labels)),
            form.bits,
        )
        for split, part in files.items()
    }
    validation = splits.get("validation")
    return SourceImages(
        _shown_name(root),
        splits["train"].read_own(cache, sharing),
        None if validation is None else validation.read_none(),
        splits["test"].read_none(),
        label_names,
        len(files["train"].paths),
        len(files["test"].paths),
    )


def _shown_name(root: pathlib.Path) -> str:
    """Returns what the data set is called where it is printed and recorded."""
    name = os.path.basename(os.path.abspath(root))
    # An archive may have unpacked to any name.
    return FOLDER + (name if name.isprintable() else one_line(name))


def _facts(
    root: pathlib.Path,
    split: str,
    form: Format,
    files: ImageFiles,
    more: Mapping[str, Any],
) -> Facts:
    """Returns what decides the images of files of a split."""
    return facts_of_files(
        FOLDER + root.name,
        split,
        files.paths,
        files.labels,
        [form.size],
        root,
        form.channels,
        # Two folders of one name are not the same data.
        {"bits": form.bits, "folder": _text_of(os.path.realpath(root)), **more},
    )


def _text_of(path: str) -> str:
    """Returns a path as text, whose names are bytes that may be none."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _stored_part(
    cache: DataCache, facts: Facts, part: ImageFiles, form: Format
) -> LabelledImages:
    """Decodes a split into the cache, unless it is there; memory never has it."""
    decoding = decoding_of_files(
        part,
        form.channels,
        form.size,
        bits=form.bits,
        on_transparent=form.transparent.append,
    )
    return cache.stored(facts, decoding)
