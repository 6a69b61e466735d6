"""Teachers: trained networks that give images their soft labels."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options


@dataclasses.dataclass(frozen=True, eq=False)
class TeacherNetwork:
    """One trained network as data.

    Attributes:
        name: Key of `registry.NETWORKS`.
        options: Choices within that architecture.
        weights: Float32 arrays in the order of the network's `weight_shapes`.
        state: Arrays in the order of the network's `state_specs`, such as batch norm's
            moving statistics; empty for a network without state.
    """

    name: str
    options: NetworkOptions
    weights: list[np.ndarray]
    state: list[np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Teacher:
    """An ensemble of trained networks, mostly of a single one.

    Attributes:
        networks: The networks, at least one.
        image_shape: Height, width and channels of the networks' images.
        num_classes: Number of logits, in the label order of the data set.

    Raises:
        ValueError: `networks` is empty.
    """

    networks: tuple[TeacherNetwork, ...]
    image_shape: tuple[int, int, int]
    num_classes: int

    def __post_init__(self) -> None:
        if not self.networks:
            raise ValueError("`networks` must hold at least one network.")

    def build_networks(self) -> list[FunctionalNetwork]:
        """Builds the networks as functions of their weights.

        Raises:
            ValueError: an architecture is unknown, or the stored weights or state do
                not have its shapes and dtypes.
            InputError: an architecture does not support the image shape or the options.
        """
        return [self._build(network) for network in self.networks]

    def logits_function(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns a function from images to the mean of the networks' logits.

        Returns:
            A function from `[n, h, w, c]` normalised float32 images to `[n, C]` float32
            logits, in evaluation mode: batch norm uses its moving statistics. The
            function is traced once, for any n. No gradient reaches the weights.

        Raises:
            ValueError: see `build_networks`.
            InputError: see `build_networks`.
        """
        members = [
            _Member(
                network,
                [tf.constant(weight) for weight in stored.weights],
                [tf.constant(value) for value in stored.state],
            )
            for network, stored in zip(
                self.build_networks(), self.networks, strict=True
            )
        ]
        signature = [tf.TensorSpec([None, *self.image_shape], tf.float32)]
        # TensorFlow counts traces by the code; a partial has a count of its own.
        mean_logits = functools.partial(_mean_logits, members)
        return tf.function(mean_logits, input_signature=signature, autograph=False)

    def _build(self, stored: TeacherNetwork) -> FunctionalNetwork:
        network = build_with_options(
            stored.name, self.image_shape, self.num_classes, stored.options
        )
        for what, arrays, expected in (
            ("weights", stored.weights, network.weight_shapes),
            ("state", stored.state, [tuple(s.shape) for s in network.state_specs]),
        ):
            shapes = [array.shape for array in arrays]
            if shapes != expected:
                raise ValueError(
                    f"the teacher's network {stored.name!r} has {what} of shapes "
                    f"{expected}, but {shapes} are stored."
                )
        dtypes = [tf.as_dtype(array.dtype) for array in stored.state]
        right = [spec.dtype for spec in network.state_specs]
        if dtypes != right or any(w.dtype != np.float32 for w in stored.weights):
            raise ValueError(
                f"the teacher's network {stored.name!r} must have float32 weights and "
                f"a state of {[dtype.name for dtype in right]}."
            )
        return network


@dataclasses.dataclass(frozen=True, eq=False)
class _Member:
    """A network, with its weights and state as constants that graphs capture."""

    network: FunctionalNetwork
    weights: list[tf.Tensor]
    state: list[tf.Tensor]


def _mean_logits(members: list[_Member], images: tf.Tensor) -> tf.Tensor:
    logits = [
        member.network.logits(member.weights, images, member.state)
        for member in members
    ]
    return tf.add_n(logits) / float(len(logits))
