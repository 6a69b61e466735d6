"""What the product geometry learns: two curvatures, and the weights of three factors.

Neither is learnt by making the distance small, which has no sensible end. Curvature
alone makes distances short, whatever the images are: at strong curvature the centroids
of scattered points lie close together. And all weight would go to the factor with the
shortest distances. Instead:

- A curvature follows the data: log sqrt(|K|) makes gradient steps on half the square of
  log(sqrt(|K|) L) - log(radius), where L is the geometric mean of the lengths of the
  real features. It ends where features lie at the radius that is asked for.
- The weights w = softmax(logits) make gradient steps on
  log sum_g w_g D_g - (1/3) sum_g log w_g, with the squared distances D_g. In the logits
  that is a convex function, and its only minimum has equal products w_g D_g: every
  factor contributes a third of the squared distance, and no weight vanishes.
"""

import math

import tensorflow as tf


class ProductParameters(tf.Module):
    """Curvatures and weights, changed by their own steps after each iteration.

    The variables are plain, not mirrored: every process keeps one copy. Call `learn`
    outside `strategy.run` only.

    Args:
        curvature: First curvature of the hyperbolic factor, K < 0.
        spherical_curvature: First curvature of the spherical factor, K > 0.
        radius: Radius of real features that curvatures are learnt for, > 0.
        curvature_lr: Rate of the curvatures in [0, 1]; 0 keeps them.
        weight_lr: Rate of the weights in [0, 1]; 0 keeps them equal.

    Attributes:
        num_facts: Number of facts of a class that `learn` takes.
        bank_remedy: Settings with which summaries of real images stay as they are;
            empty if they do.
    """

    num_facts = 4

    def __init__(
        self,
        curvature: float,
        spherical_curvature: float,
        radius: float,
        curvature_lr: float,
        weight_lr: float,
    ) -> None:
        super().__init__(name="product_parameters")
        for name, value in (("curvature", -curvature), ("radius", radius),
                            ("spherical_curvature", spherical_curvature)):  # fmt: skip
            if not 0 < value < math.inf:
                raise ValueError(f"`{name}` has no such value: {value}.")
        self._radius = radius
        self._curvature_lr = curvature_lr
        self._weight_lr = weight_lr
        self.bank_remedy = "--product_curvature_lr=0" if curvature_lr > 0 else ""
        scales = [0.5 * math.log(-curvature), 0.5 * math.log(spherical_curvature)]
        self._log_scales = tf.Variable(scales, trainable=False, dtype=tf.float32)
        self._logits = tf.Variable(tf.zeros([3]), trainable=False)

    @property
    def learns(self) -> bool:
        """True if any rate is above 0."""
        return self._curvature_lr > 0 or self._weight_lr > 0

    def scales(self, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns sqrt(|K|) of the hyperbolic and of the spherical factor, scalars."""
        hyperbolic, spherical = tf.unstack(tf.exp(tf.cast(self._log_scales, dtype)))
        return hyperbolic, spherical

    def weights(self, dtype: tf.DType) -> tf.Tensor:
        """Returns the weights `[3]` of the flat, hyperbolic and spherical factor."""
        return tf.nn.softmax(tf.cast(self._logits, dtype))

    def facts(self, distances: tf.Tensor, log_length: tf.Tensor) -> tf.Tensor:
        """Returns what `learn` has to know of classes.

        Args:
            distances: `[c, 3]` distances in the factors.
            log_length: `[c]` mean logarithm of the lengths of real features.

        Returns:
            `[c, 4]` shares of the factors in the squared distance, a third each where
            it is 0, and `log_length`; float32, without gradient.
        """
        parts = self.weights(distances.dtype) * tf.square(distances)
        total = tf.reduce_sum(parts, axis=-1, keepdims=True)
        shares = tf.where(total > 0, tf.math.divide_no_nan(parts, total), 1.0 / 3.0)
        facts = tf.concat([shares, log_length[:, None]], axis=-1)
        return tf.stop_gradient(tf.cast(facts, tf.float32))

    def learn(self, facts: tf.Tensor) -> None:
        """Makes one step of curvatures and weights.

        Args:
            facts: `[C, 4]` facts of all classes.
        """
        mean = tf.reduce_mean(facts, axis=0)
        self._logits.assign_sub(self._weight_lr * (mean[:3] - 1.0 / 3.0))
        excess = self._log_scales + mean[3] - math.log(self._radius)
        self._log_scales.assign_sub(self._curvature_lr * excess)
