"""Networks as pure functions of their weights, and weights as pure functions of a key.

A Keras model serves as a template, and its variables are never read. Weights are plain
tensors that are drawn inside the graph. So a fresh network in every iteration costs no
variables, no retracing and no memory, and is the same on every replica.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf

from hdd_tf.distributed.precision import policy_of
from hdd_tf.errors import InputError
from hdd_tf.networks.initialisation import FanInInitialisation

# (`[2]` int32 key) -> weights and state of a fresh network.
Draw = Callable[[tf.Tensor], tuple[list[tf.Tensor], list[tf.Tensor]]]


class FunctionalNetwork:
    """A network whose weights, and state if it has any, are arguments.

    State is what training changes without a gradient: batch norm's moving statistics
    and dropout's random number generators. Networks that are matched have no state.

    Args:
        model: Built Keras model whose output is the logits, or a dictionary with
            `logits`. Networks that are matched also need `features` there.
        draw: Function that draws fresh weights and state; None for
            `FanInInitialisation`.
        tapped: Function that builds the same model with the maps of its blocks among
            the outputs; None if the model has no blocks, or they are not known.
        rebuild: Function that builds the same network for another precision; None if
            nobody asks for one.

    Raises:
        ValueError: `draw` is None, and no initialisation is known for a variable.
    """

    def __init__(
        self,
        model: keras.Model,
        draw: Draw | None = None,
        tapped: Callable[[], keras.Model] | None = None,
        rebuild: Callable[[str], "FunctionalNetwork"] | None = None,
    ) -> None:
        self.model = model
        self._rebuild = rebuild
        self._in_precision: dict[str, FunctionalNetwork] = {}
        self._build_tapped = tapped
        self._tapped: keras.Model | None = None
        self._draw = draw or FanInInitialisation(model)

    def in_precision(self, precision: str) -> "FunctionalNetwork":
        """Returns the network that computes in a precision, with the same weights.

        Args:
            precision: `bfloat16`, or another precision, for which it is
                the network itself.

        Raises:
            ValueError: it is not known how the network is built.
        """
        if policy_of(precision) == "float32":
            return self
        if self._rebuild is None:
            raise ValueError(f"{self.model.name} was built for float32 alone.")
        if precision not in self._in_precision:
            self._in_precision[precision] = self._rebuild(precision)
        return self._in_precision[precision]

    def with_draw(self, draw_of: Callable[[keras.Model], Draw]) -> "FunctionalNetwork":
        """Returns the same network with other initial weights.

        Args:
            draw_of: Function from the model to the function that draws them.
        """
        build = self._rebuild
        return FunctionalNetwork(
            self.model,
            draw_of(self.model),
            self._build_tapped,
            build and (lambda precision: build(precision).with_draw(draw_of)),
        )

    @property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Shape of each weight, in the order of all methods here."""
        return [tuple(v.shape) for v in self.model.trainable_variables]

    @property
    def feature_channels(self) -> int:
        """Number of channels of the maps that the features are read from.

        Flattened maps `[h, w, k]` have `k`, which is the fastest index of a feature
        vector. All other features count as maps of one pixel.
        """
        features = self.model.output["features"]
        layer = features._keras_history.operation
        if isinstance(layer, keras.layers.Flatten):
            return int(layer.input.shape[-1])
        return int(features.shape[-1])

    @property
    def state_specs(self) -> list[tf.TensorSpec]:
        """Shape and dtype of each tensor of the state, in the order of all methods."""
        state = self.model.non_trainable_variables
        return [tf.TensorSpec(v.shape, v.dtype) for v in state]

    def initial_weights(self, key: tf.Tensor) -> list[tf.Tensor]:
        """Draws initial weights; the same key gives the same weights.

        Args:
            key: `[2]` int32 key.

        Returns:
            Float32 tensors of `weight_shapes`.
        """
        return self._draw(key)[0]

    def initial_variables(
        self, key: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Draws `initial_weights` and the initial state.

        Args:
            key: `[2]` int32 key.

        Returns:
            Tensors of `weight_shapes` and of `state_specs`.
        """
        return self._draw(key)

    def features(self, weights: list[tf.Tensor], images: tf.Tensor) -> tf.Tensor:
        """Returns the `[n, d]` features of `[n, h, w, c]` normalised images."""
        return self.outputs(weights, images)["features"]

    def outputs(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        state: Sequence[tf.Tensor] = (),
    ) -> dict[str, tf.Tensor]:
        """Returns all outputs of a network, in evaluation mode.

        Args:
            weights: Tensors of `weight_shapes`.
            images: `[n, h, w, c]` normalised images.
            state: Tensors of `state_specs`; evaluation mode does not change them.

        Returns:
            `features` `[n, d]` and `logits` `[n, num_classes]`.

        Raises:
            ValueError: the network has another state.
        """
        outputs, _ = self.model.stateless_call(weights, state, images, training=False)
        return outputs

    def block_outputs(
        self, weights: list[tf.Tensor], images: tf.Tensor
    ) -> dict[str, Any]:
        """Returns the outputs of `outputs`, and the maps of all blocks.

        Args:
            weights: Tensors of `weight_shapes`.
            images: `[n, h, w, c]` normalised images.

        Returns:
            `features`, `logits`, and two lists with an entry `[n, h, w, c]` for each
            block, from the first to the last: `activations` before pooling, and
            `blocks` after pooling.

        Raises:
            ValueError: the network has state, or `with_blocks` was not called before.
                (Building the model must not happen within a graph.)
        """
        if self._tapped is None:
            raise ValueError("`with_blocks` comes before `block_outputs`.")
        outputs, _ = self._tapped.stateless_call(weights, [], images, training=False)
        return outputs

    def with_blocks(self) -> Self:
        """Returns the network itself, ready for `block_outputs`.

        Raises:
            InputError: the network does not provide the maps of blocks.
            ValueError: the model with maps has other weights.
        """
        if self._build_tapped is None:
            raise InputError(
                f"the maps of blocks are matched, and the network {self.model.name} "
                "does not provide them: give --network=convnet."
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
            state: Tensors of `state_specs`; evaluation mode does not change them.
        """
        outputs, _ = self.model.stateless_call(weights, state, images, training=False)
        return logits_of(outputs)

    def training_logits(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        state: Sequence[tf.Tensor] = (),
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the logits in training mode, and the new state.

        Args:
            weights: Tensors of `weight_shapes`.
            images: `[n, h, w, c]` normalised images.
            state: Tensors of `state_specs`.

        Returns:
            `[n, num_classes]` float32 logits, and tensors of `state_specs`.
        """
        outputs, state = self.model.stateless_call(
            weights, state, images, training=True
        )
        return logits_of(outputs), list(state)


def logits_of(outputs: tf.Tensor | Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns the float32 logits among a model's outputs."""
    logits = outputs["logits"] if isinstance(outputs, Mapping) else outputs
    return tf.cast(logits, tf.float32)
