"""The user's own images, in folders of their class: `--dataset=folder:DIR`."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from hdd_tf.data.catalogue import FOLDER
from hdd_tf.data.class_sizes import check_two_classes
from hdd_tf.data.dataset import LabelledImages, SourceImages
from hdd_tf.data.memory import check_memory
from hdd_tf.data.names import no_such_folder
from hdd_tf.data.splits import draw_held_out
from hdd_tf.data.subsets import (
    check_splits,
    kept_names,
    kept_rows,
    renumber,
    resolve_classes,
)
from hdd_tf.errors import InputError, one_line, warn
from hdd_tf.reading.class_folders import FolderLister, ImageFiles, list_classes
from hdd_tf.reading.image_files import read_images, used_bits
from hdd_tf.reading.image_headers import read_header
from hdd_tf.reading.split_folders import SplitFolders, find_splits

_TEST_FRACTION = 0.2
# Not of the run's seed: scores of different seeds are of the same images.
_TEST_STREAM = (0x7E57,)
# Of 8 bits that are read: images of 16 bits whose values end here use few levels.
_FEW_LEVELS = 64


@dataclasses.dataclass
class _Format:
    """What all images have in common, and which ones need a word.

    Attributes:
        size: Height and width that they will have.
        channels: 1 or 3.
        deep: Gray images of more than 8 bits.
        noted_bits: How many bits files of `deep` say they use.
        deep_colours: Images of which a colour has more than 8 bits.
        with_more: Files of which only the first frame or page is read.
        transparent: Images with transparent parts; known when they are read.
    """

    size: tuple[int, int] = (0, 0)
    channels: int = 1
    deep: list[pathlib.Path] = dataclasses.field(default_factory=list)
    noted_bits: set[int] = dataclasses.field(default_factory=set)
    deep_colours: list[pathlib.Path] = dataclasses.field(default_factory=list)
    with_more: list[pathlib.Path] = dataclasses.field(default_factory=list)
    transparent: list[pathlib.Path] = dataclasses.field(default_factory=list)


def read_folder(
    directory: str,
    image_size: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
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

    Raises:
        InputError: the folder, or what lies in it, cannot be used as it is.
    """
    root = pathlib.Path(directory).expanduser()
    if not root.is_dir():
        raise no_such_folder(str(directory))
    lister = FolderLister(root)
    found = find_splits(root, lister)
    files, label_names = _chosen_files(lister, found, classes)
    check_two_classes(f"{root} has", label_names, ", each in a folder of its own")
    check_splits(
        str(root), {split: len(part.paths) for split, part in files.items()}, classes
    )
    files, note = _with_test_split(root, files, len(label_names))
    form = _common_format(files, image_size)
    num_training, *others = (len(part.paths) for part in files.values())
    shape = (*form.size, form.channels)
    check_memory(str(root), num_training, sum(others), shape)
    bits = used_bits(form.deep, form.noted_bits) if form.deep else 16
    read = {split: _read_part(part, form, bits) for split, part in files.items()}
    _refuse_transparency_alone(root, form, read["train"].images)
    # Only now: what cannot be used is answered in one line.
    lister.warn_of_left_out()
    for line in (*found.notes, note, *_remarks(form, bits, files, read)):
        if line:
            warn(line)
    name = os.path.basename(os.path.abspath(root))
    return SourceImages(
        # Printed and recorded; an archive may have unpacked to any name.
        FOLDER + (name if name.isprintable() else one_line(name)),
        read["train"],
        read.get("validation"),
        read["test"],
        label_names,
        num_training,
        len(read["test"].labels),
    )


def _chosen_files(
    lister: FolderLister, found: SplitFolders, classes: Sequence[str]
) -> tuple[dict[str, ImageFiles], tuple[str, ...]]:
    """Returns the files of the classes to keep, by split, and the classes' names.

    Args:
        lister: Of the folder.
        found: Its splits.
        classes: Indices or names of the classes to keep; empty for all.

    Raises:
        InputError: there is no such class, or a class has no images.
    """
    names = list(found.names)
    kept = resolve_classes(classes, names)
    files = {}
    for split, folders in found.classes.items():
        whole = list_classes(lister, folders, names)
        part = whole.take(kept_rows(whole.labels, kept))
        files[split] = ImageFiles(part.paths, renumber(part.labels, kept))
    return files, kept_names(names, kept)


def _read_part(part: ImageFiles, form: _Format, bits: int) -> LabelledImages:
    """Reads the images of a split, and notes those that are transparent."""
    images = read_images(
        part.paths,
        form.channels,
        form.size,
        bits=bits,
        on_transparent=form.transparent.append,
    )
    return LabelledImages(images, part.labels)


def _with_test_split(
    root: pathlib.Path, files: dict[str, ImageFiles], num_classes: int
) -> tuple[dict[str, ImageFiles], str]:
    """Returns the splits with `test` among them, and a line if it is not their own."""
    if "test" in files:
        return files, ""
    training = files["train"]
    if "validation" in files:
        note = f"{root} has no test split: its validation split serves as one."
        return {"train": training, "test": files["validation"]}, note
    held_out = draw_held_out(training.labels, num_classes, _TEST_FRACTION, _TEST_STREAM)
    if not held_out.any():
        raise InputError(
            f"{root} has no test split, and too few images to hold some out: put "
            "some into test/ and the others into train/."
        )
    parts = {
        "train": training.take(np.flatnonzero(~held_out)),
        "test": training.take(np.flatnonzero(held_out)),
    }
    return parts, (
        f"{root} has no test split: {np.count_nonzero(held_out)} of its "
        f"{len(held_out)} images are held out as one, {_TEST_FRACTION:.0%} of each "
        "class and the same for every --seed; to choose them, put them into test/ and "
        "the others into train/."
    )


def _common_format(
    files: dict[str, ImageFiles], image_size: tuple[int, int] | None
) -> _Format:
    """Returns the format that all images will have."""
    form = _Format()
    gray = True
    first: dict[tuple[int, int], pathlib.Path] = {}
    for part in files.values():
        for path in part.paths:
            header = read_header(path)
            gray = gray and header.gray
            first.setdefault((header.height, header.width), path)
            if header.bits > 8:
                form.deep.append(path)
            if header.is_exact:
                form.noted_bits.add(header.bits)
            if header.has_deep_colours:
                form.deep_colours.append(path)
            if header.has_more:
                form.with_more.append(path)
    if image_size is None and len(first) > 1:
        shown = " and ".join(
            f"{height}x{width} ({path})"
            for (height, width), path in list(first.items())[:2]
        )
        raise InputError(
            f"the images have different sizes, such as {shown}: give the one to bring "
            "them to with --image_size, such as --image_size=64."
        )
    form.size = image_size or next(iter(first))
    form.channels = 1 if gray else 3
    return form


def _refuse_transparency_alone(
    root: pathlib.Path, form: _Format, images: np.ndarray
) -> None:
    """Raises InputError where nothing but the dropped transparency differs."""
    lowest, highest = images.min(axis=(0, 1, 2)), images.max(axis=(0, 1, 2))
    if form.transparent and (lowest == highest).all():
        raise InputError(
            f"the images below {root}, such as {form.transparent[0]}, are of one "
            "colour: what they show is in their transparency, which is not read; "
            "flatten them onto a background."
        )


def _remarks(
    form: _Format,
    bits: int,
    files: dict[str, ImageFiles],
    read: dict[str, LabelledImages],
) -> list[str]:
    """Returns a line for whatever of the images is not read as it is stored."""
    remarks = []
    if form.transparent:
        remarks.append(
            f"{len(form.transparent)} images have transparent parts, such as "
            f"{form.transparent[0]}: the transparency is dropped, and the colours that "
            "it hides are read; flatten the images onto a background if they matter."
        )
    if form.with_more:
        remarks.append(
            f"{len(form.with_more)} files have several frames or pages, such as "
            f"{form.with_more[0]}: the first of each is read."
        )
    if form.deep and bits < 16:
        remarks.append(
            f"{len(form.deep)} gray images of more than 8 bits, such as "
            f"{form.deep[0]}, use {bits} bits: 0 ... {2**bits - 1} becomes 0 ... 255."
        )
    deep_colours = set(form.deep_colours)
    largest = max(
        (
            int(read[split].images[row].max())
            for split, part in files.items()
            for row, path in enumerate(part.paths)
            if path in deep_colours
        ),
        default=255,
    )
    if largest < _FEW_LEVELS:
        remarks.append(
            f"{len(form.deep_colours)} colour images of 16 bits, such as "
            f"{form.deep_colours[0]}, use only {largest + 1} of the 256 levels that "
            "are read: save them with 8 bits a colour, scaled to 0 ... 255."
        )
    return remarks
