"""The optimiser of a synthetic set: SGD with momentum, for all classes in one update.

DM's program updates all images once an iteration. The programs of IDM and DANCE call
their optimiser once a class, each time over *all* images: the class that was just
matched moves by its gradient, and every other class coasts on its momentum. That is C
updates of all images an iteration. Since coasting is linear, C - 1 of the updates have
a closed form, and one update of all classes together gives the same images.
"""

import numpy as np
import tensorflow as tf

from hdd_tf.distributed.class_shares import ClassShares
from hdd_tf.distributed.spread_variable import SpreadVariable


class ImageSGD:
    """SGD with momentum on one variable: images, or learnt labels and rates.

        v <- momentum v + gradient,   x <- x - learning_rate v

    Call `before_gradient`, take the gradient at the images as it leaves them, then call
    `apply`. Call both methods outside `strategy.run`: they write every replica's copy.

    Args:
        images: `[C, ...]` float variable; without `per_class` a variable of any shape.
        learning_rate: Learning rate, positive.
        momentum: Momentum, in [0, 1).
        per_class: True to compute the images that one optimiser call a class gives.
        spread: The images as they are spread over replicas; None if every replica has
            all. If not, the velocity is spread likewise, gradients are of a replica's
            rows, and the methods are called within `strategy.run`, where they write the
            replica's rows.

    Attributes:
        velocity: Variable of the velocity, of the shape and dtype of `images`; the only
            state of the optimiser.
        spread_velocity: The velocity as it is spread over replicas, or None.
    """

    def __init__(
        self,
        images: tf.Variable,
        learning_rate: float,
        momentum: float,
        per_class: bool = False,
        spread: SpreadVariable | None = None,
    ) -> None:
        self.velocity = tf.Variable(
            tf.zeros_like(images), trainable=False, name="velocity"
        )
        # What is updated: all rows, or those of the calling replica.
        self._images, self._velocity = images, self.velocity
        self._shares: ClassShares | None = None
        self.spread_velocity: SpreadVariable | None = None
        if spread is not None:
            self._shares = spread.shares
            self.spread_velocity = spread.alike(self.velocity)
            self._images, self._velocity = spread.own, self.spread_velocity.own
        self._learning_rate = tf.constant(learning_rate, images.dtype)
        self._momentum = tf.constant(momentum, images.dtype)
        self._coasts = None
        if per_class:
            # The numbers of other classes' updates before and after each class's own.
            classes = np.arange(images.shape[0])
            classes = classes.reshape([-1] + [1] * (images.shape.rank - 1))
            self._coasts = tuple(
                _coasting(momentum, updates, images.dtype)
                for updates in (classes, len(classes) - 1 - classes)
            )

    def before_gradient(self) -> None:
        """Moves the images to the point at which the gradient is taken."""
        if self._coasts is not None:
            self._coast(self._images, self._velocity, self._coasts[0])

    def apply(
        self,
        gradient: tf.Tensor,
        where: tf.Tensor | None = None,
        rate: tf.Tensor | None = None,
    ) -> None:
        """Updates the images.

        Args:
            gradient: `[C, ...]` gradient at the images as `before_gradient` left them.
            where: Scalar bool; False leaves images and velocity unchanged, whatever the
                gradient is. None always updates. Not supported with `per_class`, whose
                classes have already coasted.
            rate: Scalar that replaces the learning rate, such as the rate of a
                schedule. Not supported with `per_class`, whose classes coast at one
                rate.

        Raises:
            ValueError: `where` or `rate` is given with `per_class`.
        """
        if self._coasts is not None and (where is not None or rate is not None):
            raise ValueError("classes that coast move at one rate, and always.")
        velocity = self._momentum * self._velocity + gradient
        rate = self._learning_rate if rate is None else rate
        images = self._images - rate * velocity
        if where is not None:
            images = tf.where(where, images, self._images)
            velocity = tf.where(where, velocity, self._velocity)
        if self._coasts is None:
            self._images.assign(images)
            self._velocity.assign(velocity)
        else:
            self._coast(images, velocity, self._coasts[1])

    def finite_classes(self) -> tf.Tensor:
        """Returns `[C]` bool, True for classes of finite images and velocities.

        If images are spread over replicas, the result is of the replica's rows, `[S]`.
        """
        # Clipping keeps images finite even if their velocity is not.
        images, velocity = (
            tf.math.is_finite(tf.convert_to_tensor(x))
            for x in (self._images, self._velocity)
        )
        axes = list(range(1, images.shape.rank))
        return tf.reduce_all(images & velocity, axis=axes)

    def _coast(
        self,
        images: tf.Tensor,
        velocity: tf.Tensor,
        coasting: tuple[tf.Tensor, tf.Tensor],
    ) -> None:
        """Writes images and velocity after each class's updates without a gradient.

        After n such updates the velocity is v m^n, and the images are
        x - learning_rate v (m + m^2 + ... + m^n).
        """
        if self._shares is not None:
            classes, _ = self._shares.own()
            coasting = tuple(tf.gather(numbers, classes) for numbers in coasting)
        decay, distance = coasting
        moved = images - self._learning_rate * distance * velocity
        slowed = decay * velocity
        self._images.assign(moved)
        self._velocity.assign(slowed)


def _coasting(
    momentum: float, updates: np.ndarray, dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns m^n and m + ... + m^n for each number n of updates, m the momentum."""
    decay = momentum**updates
    distance = momentum * (1.0 - decay) / (1.0 - momentum)
    return tf.constant(decay, dtype), tf.constant(distance, dtype)
