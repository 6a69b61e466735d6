"""The whitening of a run's images, kept for exports of the run's checkpoints.

The whitening is a function of the training images, which an export does not read.
"""

import io
import pathlib

import numpy as np

from hdd_tf.artifacts.sets.set_extras import whitening_arrays, whitening_kinds
from hdd_tf.data.normalisation import Whitening
from hdd_tf.errors import InputError
from hdd_tf.files import atomic
from hdd_tf.files.npz_file import read_npz, write_npz

_FILE = "whitening.npz"


def keep_whitening(run_dir: pathlib.Path, whitening: Whitening | None) -> None:
    """Writes a run's whitening, if there is one and its file does not exist yet."""
    path = run_dir / _FILE
    if whitening is None or path.exists():
        return
    buffer = io.BytesIO()
    epsilon = np.array(whitening.epsilon)
    write_npz(buffer, {**whitening_arrays(whitening), "epsilon": epsilon})
    atomic.write_bytes(path, buffer.getvalue())


def read_whitening(
    run_dir: pathlib.Path, size: int, whitened: bool = False
) -> Whitening | None:
    """Reads a run's whitening.

    Args:
        run_dir: Directory of the run.
        size: Number of values in an image.
        whitened: True if the run's images are known to be whitened.

    Returns:
        The whitening; None for a run whose images are not whitened.

    Raises:
        InputError: the file is damaged, is for images of another size, or is missing
            although the images are whitened.
    """
    path = run_dir / _FILE
    if not path.is_file():
        if whitened:
            raise InputError(
                f"{path} is missing, and without it the run's images are no pixels: "
                "repeat the run's command, which writes it again"
            )
        return None
    try:
        kinds = {**whitening_kinds(size), "epsilon": (np.float64, ())}
        arrays = read_npz(path, kinds)
        epsilon = float(arrays.pop("epsilon"))
        return Whitening(**arrays, epsilon=epsilon)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is damaged, or of other images: move it away and repeat the run's "
            "command, which writes it again"
        ) from error
