"""The hyperbolic twin of D4M's prototypes: Lloyd's k-means on the hyperboloid.

Latents are scaled such that their median norm is 2 and lifted by the exponential map at
the origin. Assignment is by geodesic distance, and a cluster's centre is its Lorentz
centroid. As the curvature goes to 0 this becomes k-means. No number is published.
"""

import numpy as np
import tensorflow as tf

from hdd_tf.geometry import centroids, lorentz

ROUNDS = 20
_MEDIAN_NORM = 2.0


def lorentz_prototypes(
    latents: np.ndarray,
    number: int,
    curvature: float,
    generator: np.random.Generator,
    rounds: int = ROUNDS,
) -> np.ndarray:
    """Returns centres of the latents of one class.

    Args:
        latents: `[n, d]` float.
        number: Number of centres k <= n.
        curvature: K < 0.
        generator: Random numbers of the first centres.
        rounds: Rounds of Lloyd's algorithm.

    Returns:
        `[k, d]` float64: the tangent vectors at the origin of the centres, scaled back.
    """
    vectors = latents.astype(np.float64)
    median = float(np.median(np.linalg.norm(vectors, axis=1)))
    scale = _MEDIAN_NORM / median if median > 0 else 1.0
    points = lorentz.expmap0(tf.constant(scale * vectors), curvature)
    first = _spread_rows(points, number, curvature, generator)
    centres = tuple(tf.gather(part, first) for part in points)
    found = _lloyd(points, centres, rounds)
    return lorentz.logmap0(found, curvature).numpy() / scale


def _spread_rows(
    points: lorentz.Point, number: int, curvature: float, generator: np.random.Generator
) -> np.ndarray:
    """Returns the rows of first centres, by k-means++ with squared distances."""
    count = len(points[1])
    rows = [int(generator.integers(count))]
    nearest = np.full(count, np.inf)
    for _ in range(number - 1):
        last = tuple(part[rows[-1]] for part in points)
        distance = lorentz.geodesic_distance(points, last, curvature).numpy()
        nearest = np.minimum(nearest, distance**2)
        total = nearest.sum()
        if total > 0:
            rows.append(int(generator.choice(count, p=nearest / total)))
        else:  # Fewer different latents than centres.
            rows.append(int(generator.integers(count)))
    return np.array(rows)


@tf.function(reduce_retracing=True, autograph=False)
def _lloyd(
    points: lorentz.Point,
    centres: lorentz.Point,
    rounds: int,
) -> lorentz.Point:
    """Returns the centres after a number of rounds; an empty cluster keeps its own."""
    klein, log_gamma = points
    number = tf.shape(centres[1])[0]
    squares = tf.reduce_sum(tf.square(klein), axis=-1)

    def next_round(centre_klein: tf.Tensor, centre_gamma: tf.Tensor) -> tuple:
        # Cancels where points coincide, by 1e-16 exp(2 r), nothing at these radii.
        gap = (
            squares[:, None]
            + tf.reduce_sum(tf.square(centre_klein), axis=-1)
            - 2.0 * tf.matmul(klein, centre_klein, transpose_b=True)
        )
        # Curvature is a factor of all distances, which changes no order.
        distance = lorentz.distance_of_gap(
            tf.maximum(gap, 0.0), log_gamma[:, None], centre_gamma, -1.0
        )
        chosen = tf.argmin(distance, axis=1, output_type=tf.int32)

        def of_cluster(cluster: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            members = tf.cast(chosen == cluster, klein.dtype)
            found = centroids.centroid(klein, log_gamma, members)
            empty = tf.reduce_sum(members) == 0.0
            return (
                tf.where(empty, centre_klein[cluster], found[0]),
                tf.where(empty, centre_gamma[cluster], found[1]),
            )

        return tf.map_fn(
            of_cluster,
            tf.range(number),
            fn_output_signature=(
                tf.TensorSpec(klein.shape[1:], klein.dtype),
                tf.TensorSpec([], klein.dtype),
            ),
        )

    shapes = tf.TensorShape([None, klein.shape[1]]), tf.TensorShape([None])
    return tf.while_loop(
        lambda *_: True,
        next_round,
        centres,
        shape_invariants=shapes,
        maximum_iterations=rounds,
    )
