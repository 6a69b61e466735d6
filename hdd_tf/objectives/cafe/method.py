"""CAFE: images change in networks that meanwhile train on these images.

An iteration is the life of one network, as in the authors' program, whose counter
counts networks. The network starts from random weights. Then updates of the images
alternate with its training on them, until its accuracy on real images has settled.

Sources: Wang et al., "CAFE: Learning to Condense Dataset by Aligning Features", CVPR
2022, arXiv 2203.01531; its program, github.com/kaiwang960112/CAFE at b718ff5.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.method import IterativeMethod, Metrics
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.objectives.cafe.image_gradient import ImageGradient
from hdd_tf.objectives.cafe.layers import layer_comparison
from hdd_tf.objectives.cafe.network_training import NetworkTraining
from hdd_tf.objectives.cafe.watchers import Watcher, empty_watcher
from hdd_tf.random_keys import Purpose, derive_key

# Networks from which on the rate of the images is halved, and halved again.
HALVED_AT = (1200, 1600, 1800)
# Image updates of a usual network, and epochs after each of them.
_USUAL_UPDATES, _USUAL_EPOCHS = 28, 10


class AligningFeatures(IterativeMethod):
    """Aligns the features of several layers, and discriminates real images.

    Args:
        context: The run's settings, data, network and devices.
        one_of: Names of the transformations of which each class draws one in matching,
            and each batch in the networks' training; empty for no augmentation.

    Raises:
        InputError: settings and data do not fit, or the network does not provide the
            maps of its blocks.
    """

    def __init__(self, context: MethodContext, one_of: tuple[str, ...]) -> None:
        self._context = context
        self._one_of = one_of
        self._comparison = layer_comparison(context)
        self._start: tf.Tensor | None = context.initial_images()
        # Whether a network, or its training, has met its limit, and whether that was
        # told. Not part of the state: it changes no image.
        self._capped = tf.Variable([False, False], trainable=False)
        self._told = [False, False]
        config = context.config
        self._max_updates, max_epochs = config.cafe_max_updates, config.cafe_max_epochs
        if context.dry_run:
            # A life takes minutes on a CPU, so a dry run times one update of it.
            self._max_updates, max_epochs = 1, min(_USUAL_EPOCHS, max_epochs)
            self.dry_run_share = 1 / min(_USUAL_UPDATES, config.cafe_max_updates)
        self._max_epochs = max_epochs

    def assemble(self) -> None:
        """Makes the images and their optimiser."""
        context, config = self._context, self._context.config
        if self._start is None:
            raise ValueError("a method is assembled once.")
        self.synthetic_set = context.synthetic_set(self._start)
        # The variables hold the images now, and the initial images can be large.
        self._start = None
        with context.strategy.scope():
            self._image_sgd = ImageSGD(
                self.synthetic_set.images, config.image_lr, config.image_momentum
            )
        images = self.synthetic_set, context.store, self._one_of
        self._gradient = ImageGradient(context, self._comparison, *images)
        self._training = NetworkTraining(context, *images, self._max_epochs)

    def state(self) -> Mapping[str, Any]:
        """Returns the set and the velocity of its images, which outlives networks."""
        velocity = self._image_sgd.velocity
        return {"synthetic_set": self.synthetic_set, "velocity": velocity}

    def iterate(self, iteration: tf.Tensor, phase: int) -> Metrics:
        """Computes the life of one network.

        Returns:
            The mean loss of each class over the updates, and the root of the mean
            squared norm of their gradients.
        """
        config = self._context.config
        num_classes = self.synthetic_set.images.shape[0]
        key = derive_key(config.seed, Purpose.NETWORK, iteration)
        weights = self._context.network.initial_weights(key)
        rate = image_rate(config.image_lr, iteration)

        def alive(update: tf.Tensor, settled: tf.Tensor, *_: object) -> tf.Tensor:
            return ~settled & (update < self._max_updates)

        def body(
            update: tf.Tensor,
            settled: tf.Tensor,
            watcher: Watcher,
            weights: list[tf.Tensor],
            losses: tf.TensorArray,
            squares: tf.TensorArray,
            capped: tf.Tensor,
        ) -> tuple:
            loss, gradient = self._gradient.compute(weights, iteration, update)
            self._image_sgd.apply(gradient, rate=rate)
            accuracy = self._training.accuracy(
                weights, iteration, update, tf.constant(0)
            )
            watcher = watcher.note(accuracy, num_classes)
            settled = watcher.has_settled(config.cafe_leave_spread)
            leaves = settled | (update + 1 >= self._max_updates)
            if self._context.dry_run:
                leaves = tf.constant(False)
            weights, now = self._training.train(weights, iteration, update, leaves)
            losses = losses.write(update, loss)
            squares = squares.write(update, tf.reduce_sum(gradient * gradient))
            return update + 1, settled, watcher, weights, losses, squares, capped | now

        no = tf.constant(False)
        start = (tf.constant(0), no, empty_watcher(), weights)
        # Sums in the loop would be simpler. But TensorFlow's optimiser of graphs gives
        # the sum of a loop's variable and two more terms a temporary, which it makes
        # once too often: the next call fails.
        losses, squares = (
            tf.TensorArray(tf.float32, self._max_updates, element_shape=shape)
            for shape in ([num_classes], [])
        )
        updates, settled, _, _, losses, squares, capped = tf.while_loop(
            alive, body, (*start, losses, squares, no), parallel_iterations=1
        )
        self._capped.assign(self._capped | tf.stack([~settled, capped]))
        loss, square = (
            tf.reduce_mean(values.stack()[:updates], axis=0)
            for values in (losses, squares)
        )
        return {"loss_per_class": loss, "gradient_norm": tf.sqrt(square)}

    def finite_classes(self) -> tf.Tensor:
        """Returns `[C]` bool, True for classes of finite images and velocities."""
        return self._image_sgd.finite_classes()

    def notice(self) -> str:
        """Returns a line when a limit ended a loop for the first time."""
        config = self._context.config
        lines = (
            f"a network was left at --cafe_max_updates={config.cafe_max_updates} "
            "updates of the images, before its accuracy had settled",
            f"a network stopped training at --cafe_max_epochs={config.cafe_max_epochs} "
            "epochs, before its accuracy had moved enough",
        )
        capped = self._capped.numpy()
        new = [i for i in range(2) if capped[i] and not self._told[i]]
        self._told = [bool(x) for x in capped]
        told = "; ".join(lines[i] for i in new)
        return f"{told} (said once; later networks may too)" if told else ""


def image_rate(rate: float, network: tf.Tensor) -> tf.Tensor:
    """Returns the images' learning rate in a network.

    Args:
        rate: Rate at the start.
        network: Number of the network, int32 tensor.
    """
    drops = [tf.cast(network >= first, tf.float32) for first in HALVED_AT]
    return rate * 0.5 ** tf.add_n(drops)


def build(context: MethodContext) -> AligningFeatures:
    """Builds CAFE with the augmentation of `--dsa`, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    return AligningFeatures(context, dsa.parse_strategy(context.config.dsa))
