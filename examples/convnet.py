"""Convolutional networks and their training in plain Keras, for the examples here."""

import dataclasses

import default_keras  # noqa: F401
import keras
import tensorflow as tf
from distilled_data import LabelledImages
from preprocessing import preprocessing_layer
from soft_labels import soft_cross_entropy

_NORMS = {
    "none": lambda: keras.layers.Identity(),
    "batch": lambda: keras.layers.BatchNormalization(momentum=0.9),
    "layer": lambda: keras.layers.GroupNormalization(groups=1, epsilon=1e-5),
    "instance": lambda: keras.layers.GroupNormalization(groups=-1, epsilon=1e-5),
}
_POOLING = {
    "max": keras.layers.MaxPooling2D,
    "average": keras.layers.AveragePooling2D,
}


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A ConvNet: `depth` blocks of convolution, normalisation, activation, pooling."""

    width: int = 32
    depth: int = 3
    norm: str = "instance"
    activation: str = "relu"
    pooling: str = "average"

    def __str__(self) -> str:
        """Returns its name in tables."""
        return "-".join(map(str, dataclasses.astuple(self)))


def train(
    architecture: Architecture,
    data: LabelledImages,
    num_classes: int,
    metadata: dict,
    epochs: int,
    seed: int,
) -> keras.Model:
    """Trains a fresh network; the same seed gives the same network.

    Args:
        architecture: What to train.
        data: Images on the 0-255 scale; the network takes such images too.
        num_classes: Labels are below it; the network gives as many logits.
        metadata: Contents of hdd_tf.json; what normalises the images is in there.
        epochs: Passes over the data.
        seed: Decides initialisation, order and augmentation.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    network = _build(architecture, data.images.shape[1:], num_classes, metadata)
    soft = data.label_logits is not None
    targets = data.label_logits if soft else data.labels
    pairs = tf.data.Dataset.from_tensor_slices((data.images, targets))
    batches = pairs.shuffle(len(data.labels)).batch(64)
    by_class = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(batches))
        ),
        loss=soft_cross_entropy if soft else by_class,
        metrics=[] if soft else ["accuracy"],
    )
    # All passes are one epoch to Keras: starting one costs more than a small set does.
    network.fit(batches.repeat(epochs), shuffle=False, verbose=0)
    if soft:  # Networks are tested with classes.
        network.compile(loss=by_class, metrics=["accuracy"])
    return network


def accuracy(network: keras.Model, data: LabelledImages) -> float:
    """Returns the accuracy in per cent."""
    pairs = tf.data.Dataset.from_tensor_slices((data.images, data.labels))
    _, part = network.evaluate(pairs.batch(256), verbose=0)
    return 100 * part


def _build(
    architecture: Architecture,
    image_shape: tuple[int, ...],
    num_classes: int,
    metadata: dict,
) -> keras.Model:
    """Returns an untrained network; the augmentation layers act in training only."""
    layers = [
        keras.layers.Input(image_shape),
        preprocessing_layer(metadata),
        keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
        keras.layers.RandomRotation(0.04, fill_mode="constant"),
        keras.layers.RandomZoom(0.15, fill_mode="constant"),
    ]
    for _ in range(architecture.depth):
        layers += [
            keras.layers.Conv2D(architecture.width, 3, padding="same"),
            _NORMS[architecture.norm](),
            keras.layers.Activation(architecture.activation),
            _POOLING[architecture.pooling](2, padding="same"),
        ]
    return keras.Sequential(
        [*layers, keras.layers.Flatten(), keras.layers.Dense(num_classes)]
    )
