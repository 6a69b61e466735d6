"""The files of a bank over all real images: a folder for each, a file for each class.

A file is written when its class is done, and all at once. So whatever ends a filling
costs one class, and another process, or a later command, goes on with the others.
"""

import dataclasses
import hashlib
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.config import Config, to_json
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError, one_line
from hdd_tf.files import atomic
from hdd_tf.files.disk_room import check_disk_room
from hdd_tf.files.json_text import json_text
from hdd_tf.files.npz_file import read_npz, write_npz
from hdd_tf.files.unfinished import remove_leftovers
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.settings.row import row_of
from hdd_tf.settings.scope import Scope
from hdd_tf.training.network_files import KIND_FILE, kind_of_images, place_of

_FORMAT = 1


def kind_of_bank(
    config: Config, dataset: Dataset, network: FunctionalNetwork
) -> dict[str, Any]:
    """Returns what identifies a bank, for its `kind.json`.

    Args:
        config: The settings of the run.
        dataset: The real images that the bank is over.
        network: The network `--network`, a function of its weights.
    """
    kind: dict[str, Any] = {"format": _FORMAT, **kind_of_images(dataset)}
    if dataset.whitening is not None:
        # Its matrices follow from the training images.
        kind["whitening"] = {"epsilon": dataset.whitening.epsilon}
    return kind | {
        "network": config.network_title(),
        "weight_shapes": network.weight_shapes,
        "settings": _banked_settings(config),
    }


def _banked_settings(config: Config) -> dict[str, Any]:
    """Returns the settings that summaries of real images may depend on.

    Those that have their default are left out, so that a setting that a later version
    adds makes no bank another one.
    """
    scopes = (Scope.SHARED, Scope.MATCHING, Scope.SEED)
    values, banked = to_json(config), {}
    for field in dataclasses.fields(Config):
        row = row_of(field)
        if row.scope not in scopes or row.is_unbanked:
            continue
        if not row.is_read(field.name, config.objective, config.geometry):
            continue
        if getattr(config, field.name) not in (field.default, row.before):
            banked[field.name] = values[field.name]
    return banked


class BankFiles:
    """The folder of one bank.

    Args:
        directory: Directory of the folders of all banks.
        kind: What identifies the bank, as `kind_of_bank` returns it.
        shapes: Shapes of the arrays of a class.
        num_classes: Number of classes C.

    Attributes:
        path: The folder.
        num_classes: Number of classes C.
        class_bytes: Bytes of the numbers of a class.
    """

    def __init__(
        self,
        directory: str | pathlib.Path,
        kind: Mapping[str, Any],
        shapes: Sequence[Sequence[int]],
        num_classes: int,
    ) -> None:
        self.path = place_of(directory, kind)
        self._kind = dict(kind)
        self.num_classes = num_classes
        # A folder of images may be spelt in several ways.
        text = json_text({**kind, "dataset": ""})
        self._digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
        self._expected: dict[str, tuple[type, Sequence[int]]] = {
            "label": (np.int64, ()),
            "kind": (np.uint8, self._digest.shape),
            **{f"part_{i}": (np.float32, shape) for i, shape in enumerate(shapes)},
        }
        self.class_bytes = 4 * sum(int(np.prod(shape)) for shape in shapes)

    def missing(self) -> list[int]:
        """Returns the classes whose files are not there."""
        return [k for k in range(self.num_classes) if not self._file(k).exists()]

    def check_room(self, num_classes: int) -> None:
        """Checks that the disk holds the files of some more classes.

        Args:
            num_classes: Number of these classes.

        Raises:
            InputError: it does not.
        """
        check_disk_room(
            self.path,
            num_classes * self.class_bytes,
            f"--bank_dir: the summaries of {num_classes:,} classes in {self.path}",
            "make room, name another --bank_dir, or give a smaller --real_bank_size",
        )

    def begin(self) -> None:
        """Makes the folder ready for files of classes, while it is locked.

        Raises:
            OSError: it cannot be written.
        """
        remove_leftovers(self.path)
        atomic.write_json(self.path / KIND_FILE, self._kind)

    def write(self, label: int, parts: Sequence[np.ndarray]) -> None:
        """Writes the arrays of a class, all or nothing.

        Raises:
            OSError: the file cannot be written.
        """
        named = {f"part_{i}": part for i, part in enumerate(parts)}
        number = np.array(label, np.int64)
        arrays: dict[str, np.ndarray] = {"label": number, "kind": self._digest, **named}
        buffer = io.BytesIO()
        write_npz(buffer, arrays)
        atomic.write_bytes(self._file(label), buffer.getvalue())

    def read(self, label: int) -> list[np.ndarray]:
        """Returns the arrays of a class.

        Raises:
            InputError: the file is damaged, or is of another bank or class.
        """
        file = self._file(label)
        try:
            if not file.is_file():
                raise ValueError("no ordinary file")
            # Only arrays are read, no pickles, and each has a checksum.
            found = read_npz(file, self._expected)
            kind, number = found.pop("kind"), found.pop("label")
            if number != label or not np.array_equal(kind, self._digest):
                raise ValueError("it is of another bank, or of another class")
        except (OSError, ValueError) as error:
            raise InputError(
                f"{one_line(str(file))} cannot be used ({one_line(error)}): mend that, "
                "or move it away, and the same command computes that class anew."
            ) from error
        return list(found.values())

    def _file(self, label: int) -> pathlib.Path:
        return self.path / f"class_{label:05d}.npz"
