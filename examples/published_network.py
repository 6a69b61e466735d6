"""The ConvNet of the literature in Keras, which sets are made for and scored with."""

import dataclasses

import default_keras  # noqa: F401
import keras


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The ConvNet of the literature.

    Attributes:
        width: Channels of a layer.
        depth: Blocks of convolution, norm, ReLU and pooling.
        batch_norm: Whether the norm is batch norm, or instance norm.
    """

    width: int = 64
    depth: int = 3
    batch_norm: bool = False

    @classmethod
    def of_set(cls, metadata: dict) -> "Architecture":
        """Returns that of the run which made a set, as far as it is such a ConvNet."""
        source = metadata["source"]
        return cls(
            source.get("width", cls.width),
            source.get("depth", cls.depth),
            source.get("network") == "convnet_batch",
        )


def build_network(
    image_shape: tuple[int, ...], num_classes: int, architecture: Architecture
) -> keras.Model:
    """Returns a ConvNet from normalised images to logits, drawn as published.

    Args:
        image_shape: Height, width and channels.
        num_classes: Number of logits.
        architecture: Its size.
    """
    layers: list[keras.layers.Layer] = [keras.layers.Input(image_shape)]
    if image_shape[0] == 28:  # As if it had 32.
        layers.append(keras.layers.ZeroPadding2D(2))
    for _ in range(architecture.depth):
        if architecture.batch_norm:
            norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        else:
            norm = keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)
        layers += [
            # The norm takes a bias away.
            keras.layers.Conv2D(
                architecture.width,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=_fan_in(),
            ),
            norm,
            keras.layers.ReLU(),
            keras.layers.AveragePooling2D(2, padding="same"),
        ]
    network = keras.Sequential([*layers, keras.layers.Flatten()])
    bound = network.output_shape[-1] ** -0.5
    network.add(
        keras.layers.Dense(
            num_classes,
            kernel_initializer=_fan_in(),
            bias_initializer=keras.initializers.RandomUniform(-bound, bound),
        )
    )
    return network


def _fan_in() -> keras.initializers.Initializer:
    """Returns the published start: uniform in +-1/sqrt(number of inputs)."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
