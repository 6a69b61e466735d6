"""The files of networks in training and of trained ones, and the folders of a kind.

A file holds weights, optimiser and state. A folder holds networks of one kind: its
`kind.json` says which, and its name ends with a digest of that.
"""

import contextlib
import hashlib
import io
import json
import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.data.catalogue import FOLDER
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError, one_line
from hdd_tf.files import atomic
from hdd_tf.files.json_files import read_json
from hdd_tf.files.json_text import json_text
from hdd_tf.files.npz_file import read_npz
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.optimisers import optimiser_of
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.training.training_variables import TrainingState

_FORMAT = 1
KIND_FILE = "kind.json"


class NetworkFiles:
    """Writes and reads the state of trainings of one network by one protocol.

    Args:
        network: The network, a function of its weights.
        protocol: Training protocol, which determines the optimiser.
    """

    def __init__(self, network: FunctionalNetwork, protocol: TrainingProtocol) -> None:
        shapes = network.weight_shapes
        slots = optimiser_of(protocol).slot_shapes(shapes)
        kinds = [(np.float32, shape) for shape in [*shapes, *slots]]
        kinds += [
            (spec.dtype.as_numpy_dtype, tuple(spec.shape))
            for spec in network.state_specs
        ]
        # Only arrays are read, no pickles. The archive has a checksum of each array.
        self._expected: dict[str, tuple[type, Sequence[int]]] = {
            "arr_0": (np.int64, ()),
            **{f"arr_{number}": kind for number, kind in enumerate(kinds, 1)},
        }
        self._ends = len(shapes), len(shapes) + len(slots)

    @property
    def num_bytes(self) -> int:
        """Number of bytes of the values in a file."""
        return sum(
            np.dtype(kind).itemsize * math.prod(shape)
            for kind, shape in self._expected.values()
        )

    def write(self, file: pathlib.Path, state: TrainingState | None) -> None:
        """Writes a state, all or nothing.

        Args:
            file: The file, which is replaced if it exists.
            state: The state; None if a signal came before the start of the training, so
                that there is nothing to write.

        Raises:
            OSError: the file cannot be written.
        """
        if state is None:
            return
        buffer = io.BytesIO()
        # The network's state comes last: files of networks without state end before it.
        arrays = [*state.weights, *state.slots, *state.state]
        np.savez(buffer, np.array(state.updates), *arrays)
        atomic.write_bytes(file, buffer.getvalue())

    def read(self, file: pathlib.Path) -> TrainingState:
        """Reads a state.

        Args:
            file: A file of `write`.

        Raises:
            InputError: the file is damaged, or holds another network.
        """
        try:
            if not file.is_file():
                raise ValueError("no ordinary file")
            updates, *rest = read_npz(file, self._expected).values()
        except (OSError, ValueError) as error:
            raise InputError(
                f"{file} cannot be read, or holds another network ({one_line(error)}): "
                "mend that, or move it away, and that expert is trained again."
            ) from error
        first, second = self._ends
        parts = rest[:first], rest[first:second], rest[second:]
        return TrainingState(int(updates), *parts)


def kind_of(
    network: FunctionalNetwork,
    network_name: str,
    dataset: Dataset,
    protocol: TrainingProtocol,
    seed: int,
    precision: str,
    label_names: Sequence[str],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns what identifies networks of one kind, for `kind.json`.

    Args:
        network: The network, a function of its weights.
        network_name: Name of the network, which with the shapes of its weights
            identifies the architecture.
        dataset: Data set whose training split the networks learn.
        protocol: Their training protocol.
        seed: Their seed.
        precision: Precision that `network` computes in.
        label_names: Names of the classes in the order of the labels; empty if the order
            does not matter.
        more: Further entries, at the end.
    """
    kind: dict[str, Any] = {
        "format": _FORMAT,
        **kind_of_images(dataset),
        "network": network_name,
        "weight_shapes": network.weight_shapes,
        "protocol": protocol.describe(),
        "seed": seed,
    }
    # Entries that older folders do not have are there only if they say something else
    # than those, so that the older folders keep their names.
    if precision not in ("auto", "float32"):
        kind["precision"] = precision
    if dataset.whitening is not None:
        # Its matrices follow from the training images.
        kind["whitening"] = {"epsilon": dataset.whitening.epsilon}
    if label_names:
        kind["label_names"] = list(label_names)
    return kind | dict(more)


def kind_of_images(dataset: Dataset) -> dict[str, Any]:
    """Returns what identifies training images as networks see them, for `kind.json`.

    Args:
        dataset: The data set; a whitening is not told.
    """
    return {
        "dataset": dataset.name,
        "training_images": dataset.training.checksum,
        "mean": dataset.mean,
        "std": dataset.std,
    }


def place_of(directory: str | pathlib.Path, kind: Mapping[str, Any]) -> pathlib.Path:
    """Returns the folder of networks of a kind, which may not exist yet.

    Args:
        directory: Directory of the folders of all kinds.
        kind: What `kind_of` returns.
    """
    text = json_text(kind)
    # The name of a data set may be a path or contain a version.
    name = re.sub(r"\W+", "_", kind["dataset"])[-40:]
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    place = pathlib.Path(directory) / f"{name}_{digest}"
    return place if place.exists() else _of_same_images(place, kind)


def _of_same_images(own: pathlib.Path, kind: Mapping[str, Any]) -> pathlib.Path:
    """Returns the folder of the same images under another name, if there is one.

    Args:
        own: Where the folder would be made.
        kind: What `kind_of` returns.
    """
    if not kind["dataset"].startswith(FOLDER):
        return own
    expected = json.loads(json_text({**kind, "dataset": ""}))
    for path in sorted(own.parent.glob(f"*/{KIND_FILE}")):
        with contextlib.suppress(AttributeError, OSError, TypeError, ValueError):
            found = read_json(path)
            is_folder = str(found.get("dataset")).startswith(FOLDER)
            if is_folder and {**found, "dataset": ""} == expected:
                return path.parent
    return own
