"""How far a student's training ends from an expert's, and the derivative of that.

With theta_0 the weights that both start from, theta_N the student's last ones and
theta* the expert's:

    L = |theta_N - theta*|^2 / |theta_0 - theta*|^2

Source: Cazenavette et al., "Dataset Distillation by Matching Training Trajectories",
CVPR 2022, equation (1).

The hyperbolic twin compares in the tangent space of theta_0 instead, scaled so that the
expert's path has the length r, and mapped to the hyperboloid of curvature K: with
u = r (theta_N - theta_0) / |theta* - theta_0| and v the same of theta*,

    L = (d(exp_0 u, exp_0 v) / r)^2

A student that stays where it started has L = 1 in both, and K -> 0 gives the first.
This form is this project's own.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.geometry import lorentz

# (theta_N `[P]`, theta_0 `[P]`, theta* `[P]`) -> (L `[]`, its derivative by theta_N)
EndLoss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def squared_distance(
    end: tf.Tensor, start: tf.Tensor, target: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the squared distance over that of the expert's path, and its derivative.

    Args:
        end: `[P]` weights theta_N.
        start: `[P]` weights theta_0.
        target: `[P]` weights theta*, different from `start`.
    """
    gap, path = end - target, tf.reduce_sum(tf.square(start - target))
    return tf.reduce_sum(tf.square(gap)) / path, 2.0 * gap / path


def geodesic(curvature: float, radius: float) -> EndLoss:
    """Returns the hyperbolic form.

    Args:
        curvature: K < 0.
        radius: Length r > 0 of the expert's path in the tangent space.
    """

    def loss(
        end: tf.Tensor, start: tf.Tensor, target: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        path = target - start
        unit = radius / tf.norm(path)
        point = lorentz.expmap0(unit * path, curvature)
        with tf.GradientTape() as tape:
            tape.watch(end)
            reached = lorentz.expmap0(unit * (end - start), curvature)
            distance = lorentz.geodesic_distance(reached, point, curvature)
            value = tf.square(distance / radius)
        return value, tape.gradient(value, end)

    return loss


def end_loss_of(config: Any) -> EndLoss:
    """Returns the loss at the end, in the geometry of a run's settings.

    Args:
        config: The run's `Config`.
    """
    if config.geometry == "hyperbolic":
        return geodesic(config.curvature, config.trajectory_radius)
    return squared_distance
