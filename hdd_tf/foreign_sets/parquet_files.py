"""Sets in parquet files, as data sets of the Hugging Face Hub are."""

import json
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.content import ForeignArrays, check_fits, check_ordinary
from hdd_tf.foreign_sets.image_folders import decode_files

SUFFIX = ".parquet"
# Names of the columns in the Hub's data sets.
_IMAGES = ("image", "img")
_LABELS = ("label", "labels")
_LOGITS = ("label_logits", "logits")
_SOFT = (*_LOGITS, "soft_label", "soft_labels", "probabilities")
_SPLIT = "train"
# Rows that are in memory at a time.
_BATCH = 64


def parquet_files_in(directory: pathlib.Path) -> list[pathlib.Path]:
    """Returns the parquet files in a folder, or in its `data/`, in their order.

    Raises:
        InputError: there are several, and none is of a split `train`.
    """
    found = sorted(directory.glob(f"*{SUFFIX}")) or sorted(
        directory.glob(f"data/*{SUFFIX}")
    )
    of_split = [path for path in found if path.name.startswith(_SPLIT)]
    if len(found) > 1 and not of_split:
        raise InputError(
            f"{directory} has several sets: name one, such as --set={found[-1]}"
        )
    return of_split or found


def read_parquet_set(
    place: pathlib.Path, paths: Sequence[pathlib.Path], dataset: Dataset
) -> ForeignArrays:
    """Reads a set from parquet files.

    Args:
        place: The set, for messages.
        paths: Its files, the parts of one table: a column `image` with the bytes of
            image files, `label` with numbers or names of classes, and `soft_label` if
            any. The classes' names are read where `datasets` has noted them.
        dataset: The data set, whose size the images have.

    Raises:
        InputError: a file is damaged or does not fit into memory, a column is missing,
            or an image is not in the file or of another size.
    """
    damaged = f"{place} cannot be read as a parquet file"
    with tempfile.TemporaryDirectory(prefix="hdd_tf_") as folder:
        rows = _Rows(place, pathlib.Path(folder))
        # PyArrow documents no exceptions for damaged files.
        try:
            for path in paths:
                rows.read(path)
            labels, soft = np.array(rows.labels), np.array(rows.soft)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{damaged} ({str(error)[:200]}): write it anew, as `hdd-tf export "
                "hub` does"
            ) from error
        if not rows.files:
            raise InputError(f"{place} has no images: write some")
        try:
            images, note = decode_files(place, rows.files, dataset)
        except InputError as error:  # Nobody knows the folder.
            raise InputError(str(error).replace(folder, str(place))) from error
    return ForeignArrays(
        images,
        labels,
        soft if rows.soft else None,
        rows.soft_kind,
        rows.names,
        cells=rows.cells,
        scales=("0-255",),
        note=note,
    )


class _Rows:
    """The rows of a table, whose images become files.

    Args:
        place: The set, for messages.
        folder: Where the files of images are written.

    Attributes:
        files: The files of the images, in order.
        labels: Of each row, as they are.
        soft: Soft labels of each row; empty if there are none.
        soft_kind: As in `ForeignArrays`.
        names: Names of the classes, or None.
        cells: As in `ForeignArrays`.
    """

    def __init__(self, place: pathlib.Path, folder: pathlib.Path) -> None:
        self._place, self._folder = place, folder
        self._bytes = 0
        self.files: list[pathlib.Path] = []
        self.labels: list[Any] = []
        self.soft: list[Any] = []
        self.soft_kind = ""
        self.names: tuple[str, ...] | None = None
        self.cells = 1

    def read(self, path: pathlib.Path) -> None:
        """Adds the rows of a file.

        Raises:
            InputError: columns or values are missing, or memory cannot hold them.
        """
        # Imported here because no other set needs it.
        import pyarrow.parquet

        check_ordinary(path)
        with pyarrow.parquet.ParquetFile(path) as table:
            groups = (table.metadata.row_group(n) for n in range(table.num_row_groups))
            check_fits(path, sum(group.total_byte_size for group in groups))
            columns = table.schema_arrow.names
            image, label, soft = (
                next((name for name in names if name in columns), "")
                for names in (_IMAGES, _LABELS, _SOFT)
            )
            if not image or not label:
                raise InputError(
                    f"{path} has the columns {', '.join(columns)[:200] or 'none'}: a "
                    "set has image and label, and soft_label if any"
                )
            self._note(table.schema_arrow.metadata or {}, label, soft)
            chosen = [name for name in (image, label, soft) if name]
            for batch in table.iter_batches(_BATCH, columns=chosen):
                for row in batch.to_pylist():
                    self._add_image(row[image])
                    if row[label] is None:
                        raise InputError(
                            f"{path} has no label in row {len(self.files)}: write one"
                        )
                    self.labels.append(row[label])
                    self.soft += [row[soft]] if soft else []

    def _note(self, about: dict[bytes, bytes], label: str, soft: str) -> None:
        """Keeps what is written beside a table."""
        of_datasets = json.loads(about.get(b"huggingface", b"{}"))
        features = of_datasets.get("info", {}).get("features", {})
        names = features.get(label, {}).get("names")
        self.names = tuple(map(str, names)) if names else None
        of_ours = json.loads(about.get(b"hdd_tf", b"{}"))
        is_logits = soft in _LOGITS or (soft and of_ours.get(soft) == "logits")
        self.soft_kind = "logits" if is_logits else ""
        self.cells = int(of_ours.get("cells", 1))

    def _add_image(self, image: Any) -> None:
        content = image.get("bytes") if isinstance(image, dict) else image
        if not isinstance(content, bytes):
            raise InputError(
                f"{self._place} does not hold the image of row {len(self.files) + 1}: "
                "write the bytes of the image file into the column"
            )
        self._bytes += len(content)
        check_fits(self._place, self._bytes)  # A table can repeat what it has once.
        file = self._folder / f"row_{len(self.files) + 1}"
        file.write_bytes(content)
        self.files.append(file)
