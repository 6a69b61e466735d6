"""Training with labels that are not classes: a set's own, or those of its teacher.

hdd_tf.json says under `recipe` how networks train on the set. Of that, the examples
here take the loss, the rate, the optimiser, the epochs and the batch; its augmentation
and schedule they replace by their own.
"""

import pathlib
from collections.abc import Callable

import default_keras  # noqa: F401
import keras
import tensorflow as tf
from distilled_data import fail

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def label_source(metadata: dict) -> str:
    """Returns what labels networks learn: `stored`, `teacher` or `hard`.

    Args:
        metadata: Contents of the set's hdd_tf.json.
    """
    found = [
        source
        for source, key in (("stored", "soft_labels"), ("teacher", "teacher"))
        if key in metadata
    ]
    wanted = metadata.get("recipe", {}).get("labels")
    return wanted if wanted in found else [*found, "hard"][0]


def soft_cross_entropy(label_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns -sum softmax(label_logits) log_softmax(logits) of each image, `[n]`."""
    share = tf.nn.softmax(label_logits) * tf.nn.log_softmax(logits)
    return -tf.reduce_sum(share, axis=-1)


def divergence(temperature: float) -> Loss:
    """Returns KL(softmax(label_logits / T) || softmax(logits / T)) as a loss."""

    def loss(label_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        wanted = tf.nn.log_softmax(label_logits / temperature)
        found = tf.nn.log_softmax(logits / temperature)
        return tf.reduce_sum(tf.exp(wanted) * (wanted - found), axis=-1)

    return loss


def soft_loss(metadata: dict) -> Loss:
    """Returns the loss of a set's recipe, for labels that are logits."""
    recipe = metadata.get("recipe", {})
    if recipe.get("loss") == "kl":
        return divergence(recipe.get("temperature", 1.0))
    if recipe.get("loss") == "mse":
        return lambda labels, logits: tf.reduce_mean((labels - logits) ** 2, axis=-1)
    return soft_cross_entropy


def optimiser(metadata: dict) -> keras.optimizers.Optimizer:
    """Returns the optimiser of a set's recipe, with the rate that the set has learnt.

    Raises:
        SystemExit: the learnt rate is not above 0.
    """
    recipe = metadata.get("recipe", {})
    rate = metadata.get("student_rate", recipe.get("learning_rate"))
    if rate is None:
        return keras.optimizers.Adam(1e-3)
    if rate <= 0:
        fail(f"the set's learning rate is {rate}: networks cannot train with it")
    if recipe.get("optimiser") == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=recipe.get("weight_decay", 0))
    return keras.optimizers.SGD(rate, momentum=recipe.get("momentum", 0.9))


def load_teacher(directory: pathlib.Path) -> Callable[[tf.Tensor], dict]:
    """Loads a set's teacher: images on the 0-255 scale -> logits and more.

    Args:
        directory: The set's directory.
    """
    # A SavedModel is a program: load those only of sets whose makers you trust.
    return tf.saved_model.load(str(directory / "teacher"))


def ask_teacher(
    batches: tf.data.Dataset, teacher: Callable[[tf.Tensor], dict]
) -> tf.data.Dataset:
    """Returns batches of augmented images, with the teacher's logits as their labels.

    The teacher sees each image as the student does, so augmentation is done here and
    not in the network.

    Args:
        batches: (images, labels) pairs, on the 0-255 scale.
        teacher: As `load_teacher` returns it.
    """
    augment = keras.Sequential(
        [
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
            keras.layers.RandomRotation(0.04, fill_mode="nearest"),
            keras.layers.RandomZoom(0.15, fill_mode="nearest"),
        ]
    )

    def label(images: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        seen = augment(tf.cast(images, tf.float32), training=True)
        return seen, teacher(seen)["logits"]

    return batches.map(label)
