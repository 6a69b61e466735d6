"""`hdd_tf.load` and `hdd_tf.export`: distilled sets from files, and into files."""

import os
import pathlib

from hdd_tf.api.arguments import check_kind
from hdd_tf.api.calls import python_call
from hdd_tf.api.places import checked_path, checked_target, path_of_set
from hdd_tf.api.results import DistillationResult
from hdd_tf.artifacts.encodings.registry import encoding_of_name
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import (
    find_distilled_set,
    read_distilled_set,
)
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.artifacts.sets.set_metadata import METADATA_FILE
from hdd_tf.errors import InputError
from hdd_tf.exporting.hub import check_hub_output, write_hub
from hdd_tf.exporting.sets import (
    check_outside,
    export_set,
    set_of_checkpoint,
    set_of_run,
)

# For the Hub there is no reader here, as there is for each encoding of a set.
_HUB = "hub"


@python_call
def load(directory: str | os.PathLike, *, images: str = "decoded") -> DistilledSet:
    """Reads a distilled set and verifies its checksums.

    Args:
        directory: Of a set in any encoding, or of a finished run. Or the name of a set
            that comes with hdd_tf, see `hdd_tf.sets`; a directory of that name in the
            working directory is meant where there is one.
        images: `decoded`: as networks train on them; `stored`: as they are in the
            files, where a formation factor makes an image a grid of training images.

    Returns:
        The set: `images, labels = hdd_tf.load(...)`, or its attributes `images`,
        `labels`, `class_names`, `mean`, `std`, `metadata`, `label_logits` and more.

    Raises:
        InputError: There is no set, it is not exactly what was written, or memory
            cannot hold it; or decoded images are to be stored ones.
    """
    check_kind(images)
    return as_kind(read_distilled_set(path_of_set(directory, "directory")), images)


@python_call
def export(
    source: str | os.PathLike | DistilledSet | DistillationResult,
    output_dir: str | os.PathLike,
    *,
    encoding: str = "float32",
    images: str = "decoded",
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a distilled set for other programs, in the encoding they read.

    Args:
        source: A run's directory (its newest checkpoint's images), a checkpoint
            (`RUN/checkpoints/iteration-100`), a set's directory, the name of a set that
            comes with hdd_tf, or what `load` or `distill` returned.
        output_dir: Where to, new or empty.
        encoding: `float32`, `png`, `png_folder`, `npz` or `dd_ranking`; see
            `hdd-tf export --help`. `hub`: parquet with a card for the Hugging Face Hub,
            as `hdd-tf export hub` writes it.
        images: `decoded`: as networks train on them, as `load` and `save` have by
            default; `stored`: as the method keeps them, which is the default of the
            command `hdd-tf export`.
        overwrite: Whether a distilled set in `output_dir` (for `hub`, such an export)
            is replaced.

    Returns:
        `output_dir`.

    Raises:
        InputError: There is nothing to export, `output_dir` holds other things or
            cannot be written, or the encoding is unknown or cannot hold the set.
    """
    check_kind(images)
    if not isinstance(source, DistilledSet | DistillationResult):
        source = path_of_set(source, "source")
    if encoding == _HUB:
        target = checked_path(output_dir, "output_dir")
        check_hub_output(target, overwrite, flag="", replace="give overwrite=True")
        if isinstance(source, pathlib.Path):
            check_outside(target, source, flag="")
        write_hub(target, as_kind(_source_set(source, images), images))
        return target
    encoding_of_name(encoding, _HUB)
    target = checked_target(output_dir, "output_dir", encoding, overwrite, source)
    chosen = as_kind(_source_set(source, images), images)
    export_set(chosen, target, encoding=encoding)
    return target


def as_kind(distilled_set: DistilledSet, images: str) -> DistilledSet:
    """Returns a set with its images `stored` or `decoded`.

    Raises:
        InputError: They are decoded already and are to be stored ones.
    """
    if images == "decoded":
        return decode_set(distilled_set)
    if distilled_set.metadata.get("decoded"):
        raise InputError(
            "the set holds decoded images, and the stored ones cannot be had from "
            "them: leave out images='stored', or take the set that they come from"
        )
    return distilled_set


def _source_set(
    source: pathlib.Path | DistilledSet | DistillationResult, images: str
) -> DistilledSet:
    if isinstance(source, DistilledSet):
        return source
    if isinstance(source, DistillationResult):
        return source.of_kind(images)
    if (source / METADATA_FILE).is_file():
        return read_distilled_set(source)
    if RunDirectory(source).config_file.is_file():
        return set_of_run(source)
    if pathlib.Path(f"{os.fspath(source).removesuffix('.index')}.index").is_file():
        return set_of_checkpoint(source)
    return read_distilled_set(find_distilled_set(source))
