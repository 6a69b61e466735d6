"""Adam on the images, at a rate that is given."""

import tensorflow as tf

from hdd_tf.protocols.adam import adam_step


class ImageAdam:
    """Adam on one variable, see `adam_step`; the result is clipped.

    Args:
        images: `[C, ...]` float variable.
        betas: Decay rates b1 and b2 of both moments, in (0, 1).
        epsilon: Number added to the root, > 0.

    Attributes:
        moments: Variables m and v, of the shape of `images`; the only state.
    """

    def __init__(
        self, images: tf.Variable, betas: tuple[float, float], epsilon: float = 1e-8
    ) -> None:
        self._images = images
        self._betas = betas
        self._epsilon = epsilon
        self.moments = tuple(
            tf.Variable(tf.zeros_like(images), trainable=False, name=name)
            for name in ("first_moment", "second_moment")
        )

    def apply(
        self,
        gradient: tf.Tensor,
        rate: tf.Tensor,
        updates: tf.Tensor,
        limits: tuple[tf.Tensor, tf.Tensor],
    ) -> None:
        """Makes one update; call it outside `strategy.run`.

        Args:
            gradient: Gradient of the shape of the images.
            rate: Learning rate, scalar.
            updates: Number of updates made before, scalar int32.
            limits: Least and largest values of the images, which broadcast to them.
        """
        count = tf.cast(updates + 1, gradient.dtype)
        first, second = self.moments
        moved, first, second = adam_step(
            self._images, first, second, gradient, rate, self._betas, count,
            self._epsilon,
        )  # fmt: skip
        for moment, value in zip(self.moments, (first, second), strict=True):
            moment.assign(value)
        self._images.assign(tf.clip_by_value(moved, *limits))

    def finite_classes(self) -> tf.Tensor:
        """Returns `[C]` bool, True for classes of finite images and moments."""
        # Clipping keeps images finite even if their moments are not.
        finite = [
            tf.math.is_finite(tf.convert_to_tensor(x))
            for x in (self._images, *self.moments)
        ]
        axes = list(range(1, self._images.shape.rank))
        return tf.reduce_all(tf.reduce_all(finite, axis=0), axis=axes)
