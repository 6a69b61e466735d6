"""The chain under test: lift both sides, take centroids, measure, differentiate."""

import numpy as np
import tensorflow as tf

from hdd_tf.geometry import centroids, lorentz

CURVATURES = (-2.0, -1.0, -1 / 2, -1 / 3)
DTYPES = ("float32", "float64")


def match_tensors(
    real: tf.Tensor,
    synthetic: tf.Tensor,
    curvature: float,
    lift: str = "expmap0",
    max_tangent_norm: float = 0.0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Distance of the centroids, and its gradient with respect to `synthetic`."""
    with tf.GradientTape() as tape:
        tape.watch(synthetic)
        both = [
            centroids.centroid(*lorentz.lift(v, curvature, lift, max_tangent_norm))
            for v in (real, synthetic)
        ]
        distance = lorentz.geodesic_distance(*both, curvature)
    return distance, tape.gradient(distance, synthetic)


def match(
    real: np.ndarray,
    synthetic: np.ndarray,
    *options: float | str,
    dtype: str = "float64",
    **more_options: float | str,
) -> tuple[np.ndarray, np.ndarray]:
    """`match_tensors` of arrays, computed in `dtype`."""
    tensors = tf.constant(real, dtype), tf.constant(synthetic, dtype)
    distance, gradient = match_tensors(*tensors, *options, **more_options)
    assert distance.dtype == gradient.dtype == dtype
    return distance.numpy(), gradient.numpy()


def features(seed: int, shape: tuple[int, ...], radius: float, spread=0.2):
    """Random directions with norms within a factor 1 +- spread of `radius`."""
    rng = np.random.default_rng(seed)
    v = rng.normal(size=shape)
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    return v * radius * rng.uniform(1 - spread, 1 + spread, size=(*shape[:-1], 1))
