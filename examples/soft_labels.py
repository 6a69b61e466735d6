"""Training in Keras by the recipe of a set: soft labels, teachers, learnt rates.

hdd_tf.json says under `recipe` how networks train on a set that holds more than images
and classes. recipe.py reads it, views.py makes the batches, and this trains on them.
"""

import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import default_keras  # noqa: F401
import keras
import numpy as np
import tensorflow as tf
from recipe import Recipe
from views import Views

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


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


def soft_loss(recipe: Recipe) -> Loss:
    """Returns the loss of a recipe, for labels that are logits."""
    if recipe.loss == "kl":
        return divergence(recipe.temperature)
    if recipe.loss == "mse":
        return lambda labels, logits: tf.reduce_mean((labels - logits) ** 2, axis=-1)
    return soft_cross_entropy


def batch_loss(
    recipe: Recipe, labels: dict[str, tf.Tensor], logits: tf.Tensor
) -> tf.Tensor:
    """Returns the scalar loss of a batch.

    Labels of single images are mixed like the images; those that a teacher gave the
    mixed images are not.

    Args:
        recipe: How networks train.
        labels: As `views.Batch.labels_by_name` returns them.
        logits: `[n, C]` of the network.
    """
    by_class = tf.nn.sparse_softmax_cross_entropy_with_logits
    share = labels["share"]
    if recipe.loss == "hard":
        own = by_class(labels["labels"], logits)
        foreign = by_class(labels["partner_labels"], logits)
        return tf.reduce_mean(share * own + (1 - share) * foreign)
    loss = soft_loss(recipe)
    losses = loss(labels["logits"], logits)
    if recipe.labels == "stored":
        losses = share * losses + (1 - share) * loss(labels["partner_logits"], logits)
    if recipe.hard_weight:
        losses += recipe.hard_weight * by_class(labels["labels"], logits)
    return tf.reduce_mean(losses)


class Rates(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of each epoch, by the number of the update.

    Args:
        rates: Rate of each epoch.
        updates: Updates of an epoch.
    """

    def __init__(self, rates: Sequence[float], updates: int) -> None:
        self._rates = np.array(rates, np.float32)
        self._updates = updates

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate of an update."""
        epoch = tf.cast(step, tf.int32) // self._updates
        return tf.gather(self._rates, tf.minimum(epoch, len(self._rates) - 1))


class PublishedSGD(keras.optimizers.Optimizer):
    """v <- momentum v + gradient + decay w; w <- w - rate v, for each weight.

    Keras' own SGD has the rate within the velocity, so that an old rate lives on after
    a drop, and its weight decay is decoupled from the momentum.
    """

    def __init__(self, rate: Any, recipe: Recipe) -> None:
        super().__init__(learning_rate=rate)
        self._recipe = recipe
        self._velocities: list[keras.Variable] = []

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the velocities."""
        super().build(variables)
        self._velocities = [
            self.add_variable_from_reference(variable, "velocity")
            for variable in variables
        ]

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Moves one weight."""
        velocity = self._velocities[self._get_variable_index(variable)]
        decays = len(variable.shape) > 1 or not self._recipe.decay_kernels_only
        if decays:
            gradient = gradient + self._recipe.weight_decay * variable
        self.assign(velocity, self._recipe.momentum * velocity + gradient)
        self.assign_sub(variable, learning_rate * velocity)


def optimiser(
    recipe: Recipe, rate: Any, network: keras.Model
) -> keras.optimizers.Optimizer:
    """Returns the optimiser of a recipe.

    Args:
        recipe: How networks train.
        rate: The rate or its schedule.
        network: What it moves.
    """
    if recipe.optimiser == "sgd":
        return PublishedSGD(rate, recipe)
    first, second = recipe.betas
    made = keras.optimizers.AdamW(
        rate, recipe.weight_decay, beta_1=first, beta_2=second, epsilon=1e-8
    )
    if recipe.decay_kernels_only:
        made.exclude_from_weight_decay(
            var_list=[w for w in network.trainable_variables if len(w.shape) < 2]
        )
    return made


class Student(keras.Model):
    """A network whose targets are all the labels of a batch.

    Args:
        network: From normalised images to logits.
        recipe: How it trains.
    """

    def __init__(self, network: keras.Model, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the logits."""
        return self.network(images, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any
    ) -> tf.Tensor:
        """Returns the loss of the recipe; y has the labels by name."""
        return batch_loss(self.recipe, y, y_pred)

    def train_step(self, data: tuple[tf.Tensor, dict[str, tf.Tensor]]) -> Any:
        """Makes an update, after a pass for batch norm where the recipe asks for it."""
        if self.recipe.extra_norm_pass:
            self.network(data[0], training=True)
        return super().train_step(data)


def train_by_recipe(network: keras.Model, recipe: Recipe, views: Views) -> None:
    """Trains a network that takes normalised images.

    Args:
        network: From normalised images to logits.
        recipe: How it trains.
        views: The batches.
    """
    student, rates = Student(network, recipe), recipe.rates()
    for epochs in recipe.parts():
        own = [rates[epoch] for epoch in epochs]
        schedule = Rates(own, views.batches_of_epoch)
        # A network has one optimiser a life: between two, the old one is forgotten.
        student.compile(optimizer=optimiser(recipe, schedule, network))
        # One epoch to Keras: starting one costs more than a small set does. And Keras
        # cannot shuffle a tf.data pipeline, and would say so.
        student.fit(as_tf_data(views, epochs), shuffle=False, verbose=0)


def as_tf_data(views: Views, epochs: range) -> tf.data.Dataset:
    """Returns (images, labels by name) of all batches of some epochs."""

    def batches() -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        for batch in views.batches(epochs):
            yield batch.images, batch.labels_by_name()

    height, width, channels = views.image_shape
    kinds = {"labels": tf.int32, "partner_labels": tf.int32, "share": tf.float32}
    rows = {name: tf.TensorSpec([None], kind) for name, kind in kinds.items()}
    for name in ("logits", "partner_logits"):
        rows[name] = tf.TensorSpec([None, views.num_classes], tf.float32)
    images = tf.TensorSpec([None, height, width, channels], tf.float32)
    made = tf.data.Dataset.from_generator(batches, output_signature=(images, rows))
    updates = len(epochs) * views.batches_of_epoch
    return made.apply(tf.data.experimental.assert_cardinality(updates)).prefetch(2)


def load_teacher(directory: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    """Loads a set's teacher: images on the 0-255 scale -> logits.

    Args:
        directory: The set's directory.
    """
    # A SavedModel is a program: load those only of sets whose makers you trust.
    teacher = tf.saved_model.load(str(directory / "teacher"))

    def logits(pixels: np.ndarray) -> np.ndarray:
        return teacher(tf.constant(pixels))["logits"].numpy()

    return logits
