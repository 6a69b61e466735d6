"""The maps that enter the layers of a network: convolutions, and batch norms."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork, logits_of
from hdd_tf.networks.layers.conv_block import ConvBlock

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, ConvBlock)


@dataclasses.dataclass(frozen=True)
class Place:
    """A layer whose input is read.

    Attributes:
        shape: Height, width and channels of the map that enters.
        takes_images: True for a convolution of the images themselves.
        moving: Numbers, within the network's state, of the moving mean and variance of
            a batch norm; None for a convolution.
    """

    shape: tuple[int, int, int]
    takes_images: bool = False
    moving: tuple[int, int] | None = None


class Seen(NamedTuple):
    """What a pass of images through a network shows.

    Attributes:
        maps: `[n, h, w, c]` map that enters each place, in the order of `places`.
        logits: `[n, C]` float32 logits.
    """

    maps: list[tf.Tensor]
    logits: tf.Tensor


class LayerInputs:
    """Reads what enters every convolution and batch norm of a network.

    A map enters a padded convolution as it is before the padding. The network is in
    evaluation mode, so no image depends on another one.

    Args:
        network: The network, a functional model of Keras as a function of its weights.

    Attributes:
        places: The places, from the images to the logits.

    Raises:
        InputError: the network has no convolutions.
    """

    def __init__(self, network: FunctionalNetwork) -> None:
        model = network.model
        self.places: list[Place] = []
        maps = []
        for layer in model.layers:
            is_norm = isinstance(layer, keras.layers.BatchNormalization)
            if not is_norm and not isinstance(layer, _CONVOLUTIONS):
                continue
            entering = _before_padding(layer.input)
            if len(entering.shape) != 4:
                continue
            maps.append(entering)
            height, width, channels = entering.shape[1:]
            self.places.append(
                Place(
                    (height, width, channels),
                    not is_norm and entering is model.inputs[0],
                    _moving(model, layer) if is_norm else None,
                )
            )
        if all(place.moving for place in self.places):
            raise InputError(
                f"the network {model.name} has no convolutions, and what enters these "
                "is compared: name another one, such as convnet"
            )
        outputs = model.output
        outputs = outputs if isinstance(outputs, dict) else {"logits": outputs}
        # The same layers, and so the same weights in the same order.
        self._model = keras.Model(model.inputs, {**outputs, "maps": maps})

    def __call__(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        state: Sequence[tf.Tensor] = (),
    ) -> Seen:
        """Passes images through the network.

        Args:
            weights: Tensors of the network's `weight_shapes`.
            images: `[n, h, w, c]` normalised images.
            state: Tensors of the network's `state_specs`.
        """
        outputs, _ = self._model.stateless_call(weights, state, images, training=False)
        return Seen(list(outputs["maps"]), logits_of(outputs))


def _before_padding(entering: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the map before the padding that stands before a strided convolution."""
    layer = entering._keras_history.operation
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return layer.input
    return entering


def _moving(
    model: keras.Model, norm: keras.layers.BatchNormalization
) -> tuple[int, int]:
    """Returns the places of a norm's moving mean and variance in the model's state."""
    paths = [variable.path for variable in model.non_trainable_variables]
    return paths.index(norm.moving_mean.path), paths.index(norm.moving_variance.path)
