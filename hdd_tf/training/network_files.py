"""The files of networks in training and of trained ones: weights, optimiser, state."""

import io
import pathlib
from collections.abc import Sequence

import numpy as np

from hdd_tf.errors import InputError, one_line
from hdd_tf.files import atomic
from hdd_tf.files.npz_file import read_npz
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.optimisers import optimiser_of
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.training.training_variables import TrainingState


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
