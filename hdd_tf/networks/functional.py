"""Networks as pure functions of their weights, and weights as pure functions of a key.

A Keras model serves as a template: its variables are never read. Weights are plain
tensors, drawn inside the graph, so a fresh network an iteration costs no variables, no
retracing and no memory, and is the same on every replica.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.networks.initialisation import FanInInitialisation

# Key -> weights and state of a fresh network.
Draw = Callable[[tf.Tensor], tuple[list[tf.Tensor], list[tf.Tensor]]]


class FunctionalNetwork:
    """A network whose weights, and state where it has any, are arguments.

    State is what training changes without a gradient: batch norm's moving statistics,
    and dropout's generators of random numbers. Networks that are matched have none.

    Args:
        model: Built Keras model whose output is the logits, or a dictionary with
            `logits` and, of networks that are matched, `features`.
        draw: How fresh weights and state are drawn; None: as `FanInInitialisation`.
        tapped: Builds the same model with the maps of its blocks among the outputs;
            None: it has no blocks, or they are not known.

    Raises:
        ValueError: `draw` is None, and no initialisation is known for a variable.
    """

    def __init__(
        self,
        model: keras.Model,
        draw: Draw | None = None,
        tapped: Callable[[], keras.Model] | None = None,
    ) -> None:
        self.model = model
        self._build_tapped = tapped
        self._tapped: keras.Model | None = None
        self._draw = draw or FanInInitialisation(model)

    @property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Shape of each weight, in the order that all methods use."""
        return [tuple(v.shape) for v in self.model.trainable_variables]

    @property
    def state_specs(self) -> list[tf.TensorSpec]:
        """Shape and dtype of each tensor of the state, likewise."""
        state = self.model.non_trainable_variables
        return [tf.TensorSpec(v.shape, v.dtype) for v in state]

    def initial_weights(self, key: tf.Tensor) -> list[tf.Tensor]:
        """Draws initial weights: the same key, the same weights.

        Args:
            key: `[2]` int32 seed.

        Returns:
            Float32 tensors of `weight_shapes`.
        """
        return self._draw(key)[0]

    def initial_variables(
        self, key: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Draws `initial_weights` and the state that goes with them.

        Args:
            key: `[2]` int32 seed.

        Returns:
            Tensors of `weight_shapes` and of `state_specs`.
        """
        return self._draw(key)

    def features(self, weights: list[tf.Tensor], images: tf.Tensor) -> tf.Tensor:
        """Returns the `[n, d]` features of `[n, h, w, c]` normalised images."""
        return self.outputs(weights, images)["features"]

    def outputs(
        self, weights: list[tf.Tensor], images: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns `features` and `logits` together, of a network without state.

        Args:
            weights: Tensors of `weight_shapes`.
            images: `[n, h, w, c]`, normalised.

        Raises:
            ValueError: the network has state.
        """
        outputs, _ = self.model.stateless_call(weights, [], images, training=False)
        return outputs

    def block_outputs(
        self, weights: list[tf.Tensor], images: tf.Tensor
    ) -> dict[str, Any]:
        """Returns what `outputs` does, and the maps of all blocks.

        Args:
            weights: Tensors of `weight_shapes`.
            images: `[n, h, w, c]`, normalised.

        Returns:
            `features`, `logits`, and two lists with an entry `[n, h, w, c]` for each
            block, from the first to the last: `activations`, before pooling, and
            `blocks`, after it.

        Raises:
            ValueError: the network has state, or `with_blocks` was not called before:
                a model is not to be built within a graph.
        """
        if self._tapped is None:
            raise ValueError("`with_blocks` comes before `block_outputs`.")
        outputs, _ = self._tapped.stateless_call(weights, [], images, training=False)
        return outputs

    def with_blocks(self) -> Self:
        """Returns the network, ready for `block_outputs`.

        Raises:
            InputError: it has no blocks that are known.
        """
        if self._build_tapped is None:
            raise InputError(
                f"the maps of blocks are matched, and the network {self.model.name} "
                "tells of none: give --network=convnet."
            )
        if self._tapped is None:
            self._tapped = self._build_tapped()
            shapes = [tuple(v.shape) for v in self._tapped.trainable_variables]
            if shapes != self.weight_shapes:
                raise ValueError(f"{self.model.name} has other weights with its maps.")
        return self

    def logits(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        state: Sequence[tf.Tensor] = (),
    ) -> tf.Tensor:
        """Returns the `[n, num_classes]` logits of `[n, h, w, c]` normalised images.

        Args:
            weights: Tensors of `weight_shapes`.
            images: The images.
            state: Tensors of `state_specs`; as in testing, it stays as it is.
        """
        outputs, _ = self.model.stateless_call(weights, state, images, training=False)
        return logits_of(outputs)

    def training_logits(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        state: Sequence[tf.Tensor] = (),
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the logits as in training, and the state afterwards.

        Args:
            weights: Tensors of `weight_shapes`.
            images: `[n, h, w, c]`, normalised.
            state: Tensors of `state_specs`.
        """
        outputs, state = self.model.stateless_call(
            weights, state, images, training=True
        )
        return logits_of(outputs), list(state)


def logits_of(outputs: tf.Tensor | Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns the float32 logits among a model's outputs."""
    logits = outputs["logits"] if isinstance(outputs, Mapping) else outputs
    return tf.cast(logits, tf.float32)
