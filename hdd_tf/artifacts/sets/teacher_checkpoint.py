"""The values in the checkpoint of a teacher's SavedModel, which anybody may have made.

Paths are relative to the teacher's folder.
"""

import math
import pathlib

import numpy as np
import tensorflow as tf

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options

PREFIX = "variables/variables"
DATA = f"{PREFIX}.data-00000-of-00001"
# Shape and type of a value.
Spec = tuple[tuple[int, ...], tf.DType]
_VALUE = "read/{}/.ATTRIBUTES/VARIABLE_VALUE"


def value_specs(
    name: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    options: NetworkOptions,
) -> tuple[list[Spec], list[Spec]]:
    """Returns shape and type of each weight, and of each part of the state.

    Args:
        name: Key of `networks.registry.NETWORKS`.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.
        options: Options of the network.

    Raises:
        ValueError: the network does not support such images.
    """
    try:
        # Variables in a graph of their own take no memory, whatever their size.
        with tf.Graph().as_default():
            network = build_with_options(name, image_shape, num_classes, options)
            state = network.state_specs
    except Exception as error:  # Keras documents no type for invalid sizes.
        raise ValueError(f"no {name} takes {image_shape} images: {error}") from error
    return (
        [(shape, tf.float32) for shape in network.weight_shapes],
        [(tuple(spec.shape), tf.as_dtype(spec.dtype)) for spec in state],
    )


def read_values(folder: pathlib.Path, specs: list[Spec]) -> list[np.ndarray]:
    """Reads the values of a teacher's checkpoint.

    `tf.train.load_checkpoint` reads the whole index of a checkpoint, and a hostile
    index ends the process. `RestoreV2` reads only the values that it is asked for, and
    compares shapes before it allocates memory.

    Args:
        folder: Folder of the teacher.
        specs: Shape and type of each value, in the order of `TeacherModel.values`.

    Raises:
        ValueError, tf.errors.OpError: the checkpoint does not hold such values.
    """
    needed = sum(math.prod(shape) * dtype.size for shape, dtype in specs)
    if needed > (folder / DATA).stat().st_size:
        raise ValueError("the values do not fit into the checkpoint")
    slices = [
        " ".join([*map(str, shape), ":".join(f"0,{side}" for side in shape)])
        for shape, _ in specs
    ]
    values = tf.raw_ops.RestoreV2(
        prefix=str(folder / PREFIX),
        tensor_names=[_VALUE.format(number) for number in range(len(specs))],
        shape_and_slices=slices,
        dtypes=[dtype for _, dtype in specs],
    )
    arrays = [value.numpy() for value in values]
    if [array.shape for array in arrays] != [shape for shape, _ in specs]:
        raise ValueError("the checkpoint's values have other shapes")
    return arrays
