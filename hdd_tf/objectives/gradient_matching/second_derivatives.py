"""Networks whose gradients have right gradients."""

import keras

from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork

# Layers whose gradient has no right gradient of its own: they take their variance from
# `tf.nn.moments`, which stops a gradient that vanishes in the first derivative only.
_ONCE_DIFFERENTIABLE = (
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)


def check_twice_differentiable(network: FunctionalNetwork, why: str) -> None:
    """Checks that a network can be differentiated twice.

    Args:
        network: The network, a function of its weights.
        why: What a method does that takes second derivatives, to begin the message.

    Raises:
        InputError: it has layers whose second derivatives are wrong.
    """
    for layer in network.model.layers:
        if isinstance(layer, _ONCE_DIFFERENTIABLE):
            raise InputError(
                f"{why}, and Keras' layers of --norm=layer and --norm=group have no "
                "right gradient of a gradient: give --norm=instance, or none."
            )
