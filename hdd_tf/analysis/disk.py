"""Projects a ball of many dimensions to the disk: exact radii, the best angles.

A linear map of the ball, or t-SNE, would change the distances of points from the root,
which the picture is to show. Here every point keeps its radius. The angles in the disk
are chosen such that hyperbolic distances in the disk are near those in the ball: metric
multidimensional scaling (Kruskal's stress) over angles alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.geometry import lorentz

# Evaluations of the stress: after these, three digits no longer change.
_EVALUATIONS = 300
# Below half the radius at which the square of sinh overflows.
_MOST_RADIUS = 300.0


class DiskProjection(NamedTuple):
    """Points in the unit disk, and the quality of the projection.

    Attributes:
        coordinates: `[n, 2]` points of length tanh(r / 2), in the Poincare disk of
            curvature -1.
        stress: Root of the sum of squared errors of all distances, divided by the sum
            of squared distances in the ball; 0 is exact.
        rank_correlation: Spearman's correlation between the distances in the disk and
            those in the ball, from -1 to 1.
    """

    coordinates: np.ndarray
    stress: float
    rank_correlation: float


def project_to_disk(
    klein: np.ndarray, log_gamma: np.ndarray, radius: np.ndarray
) -> DiskProjection:
    """Places points of hyperbolic space in the disk.

    Args:
        klein: `[n, d]` tanh(r) times a unit direction, n >= 3.
        log_gamma: `[n]` log cosh(r).
        radius: `[n]` r >= 0, in units of 1/s.

    Returns:
        The projection, a pure function of the arguments.
    """
    # Imported here: the import takes half a second, and most commands do not need it.
    from scipy import optimize, stats

    distances = distances_in_ball(klein, log_gamma)
    radius = radius.astype(np.float64)
    stress_of = _stress(radius, distances)
    found = optimize.minimize(
        lambda angles: [part.numpy() for part in stress_of(tf.constant(angles))],
        _principal_angles(klein),
        jac=True,
        method="L-BFGS-B",
        options={"maxfun": _EVALUATIONS, "maxiter": _EVALUATIONS},
    )
    placed = _disk_distances(tf.constant(found.x), tf.constant(radius)).numpy()
    above = np.triu_indices(len(radius), 1)
    rank_correlation = stats.spearmanr(placed[above], distances[above]).statistic
    direction = np.stack([np.cos(found.x), np.sin(found.x)], axis=-1)
    return DiskProjection(
        np.tanh(0.5 * radius)[:, None] * direction,
        float(np.sqrt(found.fun)),
        float(rank_correlation),
    )


def distances_in_ball(klein: np.ndarray, log_gamma: np.ndarray) -> np.ndarray:
    """Returns the `[n, n]` float64 geodesic distances, in units of 1/s."""
    point = tf.constant(klein, tf.float64), tf.constant(log_gamma, tf.float64)
    # Row by row, because all differences at once would be n * n * d numbers. Outside a
    # graph `tf.map_fn` would rewrite the function by AutoGraph, at each row anew.
    rows = zip(*map(tf.unstack, point), strict=True)
    return tf.stack(
        [lorentz.geodesic_distance(point, one, -1.0) for one in rows]
    ).numpy()


def _principal_angles(klein: np.ndarray) -> np.ndarray:
    """Returns the angles of the directions' first two principal components."""
    length = np.linalg.norm(klein.astype(np.float64), axis=-1, keepdims=True)
    directions = klein / np.maximum(length, 1e-12)
    centred = directions - directions.mean(axis=0)
    left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    # The signs of singular vectors are arbitrary; fixed signs give the same picture.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(-1)[:, None], -1)[:, 0]
    components = np.zeros((len(klein), 2))
    components[:, : min(2, len(sizes))] = (left * sizes * np.sign(largest))[:, :2]
    return np.arctan2(components[:, 1], components[:, 0])


def _stress(
    radius: np.ndarray, distances: np.ndarray
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns the function from angles `[n]` to the squared stress and its gradient."""
    radii, wanted = tf.constant(radius), tf.constant(distances)
    total = tf.maximum(tf.reduce_sum(tf.square(wanted)), 1e-12)

    @tf.function(
        input_signature=[tf.TensorSpec(radius.shape, tf.float64)], autograph=False
    )
    def stress(angles: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(angles)
            error = _disk_distances(angles, radii) - wanted
            squared = tf.reduce_sum(tf.square(error)) / total
        return squared, tape.gradient(squared, angles)

    return stress


def _disk_distances(angles: tf.Tensor, radius: tf.Tensor) -> tf.Tensor:
    """Returns `[n, n]` distances of points in polar coordinates, at curvature -1.

    The formula sinh^2(d/2) = sinh^2((r - r')/2) + sinh(r) sinh(r') sin^2((a - a')/2)
    has no cancellation for points that are close.
    """
    radius = tf.minimum(radius, _MOST_RADIUS)
    turn = tf.square(tf.sin(0.5 * (angles[:, None] - angles[None])))
    radial = tf.square(tf.sinh(0.5 * (radius[:, None] - radius[None])))
    arms = tf.sinh(radius)[:, None] * tf.sinh(radius)[None]
    # The square root has no derivative at 0.
    return 2.0 * tf.asinh(tf.sqrt(tf.maximum(radial + arms * turn, 1e-24)))
