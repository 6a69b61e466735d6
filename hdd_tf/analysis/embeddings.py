"""Embeddings of real and synthetic images: one table for pictures and numbers."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.analysis.encoder import HyperbolicEncoder, curvature_of_median_radius
from hdd_tf.analysis.trained_weights import EncoderWeights
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.geometry import centroids, lorentz
from hdd_tf.random_keys import Purpose

# Bounds the memory of a forward pass.
_IMAGES_PER_PASS = 128


@dataclasses.dataclass(frozen=True, eq=False)
class Embeddings:
    """Images as points of hyperbolic space, the real ones first.

    Attributes:
        images: `[n, h, w, c]` uint8 images for thumbnails.
        labels: `[n]` int64.
        synthetic: `[n]` bool, True for synthetic images.
        features: `[n, d]` float32, the tangent vectors v.
        klein: `[n, d]` float32, tanh(r) times the direction of v.
        log_gamma: `[n]` float32, log cosh(r).
        radius: `[n]` float32, r = s |v|: the distance from the origin in units of 1/s.
        weight: `[n]` float32, the Lorentz weight cosh(r): the share of a point in the
            centroid of its class and kind, times the number of these points. All
            weights are 1 if all radii are equal.
        label_names: Names of the classes.
        curvature: K < 0.
        max_tangent_norm: Clamp of r; 0 means none.
        origin: Description of the encoder, see `EncoderWeights.origin`.
    """

    images: np.ndarray
    labels: np.ndarray
    synthetic: np.ndarray
    features: np.ndarray
    klein: np.ndarray
    log_gamma: np.ndarray
    radius: np.ndarray
    weight: np.ndarray
    label_names: tuple[str, ...]
    curvature: float
    max_tangent_norm: float
    origin: dict[str, Any]

    def centroid(self, rows: np.ndarray) -> lorentz.Point:
        """Returns the Lorentz centroid `(klein [d], log_gamma [])` of some points.

        Args:
            rows: `[n]` bool, True for the points to use.
        """
        return centroids.centroid(
            tf.constant(self.klein[rows]), tf.constant(self.log_gamma[rows])
        )


def embed(
    run: RunContext, weights: EncoderWeights, decoded: DistilledSet
) -> tuple[HyperbolicEncoder, Embeddings]:
    """Embeds real images and a distilled set, or a part of each class if many.

    Args:
        run: The experiment, of whose settings `analysis_*` and `seed` are used. If the
            settings have no curvature, the real images give it.
        weights: Weights of the encoder.
        decoded: The set as networks train on it.

    Returns:
        The encoder, with the curvature of the analysis, and the embeddings.
    """
    config, dataset, network = run.config, run.dataset, run.network

    def of_curvature(curvature: float) -> HyperbolicEncoder:
        return HyperbolicEncoder(
            network,
            weights.weights,
            dataset.normalisation,
            curvature,
            config.analysis_max_tangent_norm,
        )

    real = draw_real_images(dataset, config.analysis_images, config.seed)
    # A part, because 200 classes of 50 images of four sub-images each would be
    # gigabytes of features.
    rows = first_of_each(decoded.labels, config.analysis_images)
    made = decoded.images[rows]
    # Tangent vectors are the same at every curvature.
    features_of = feature_function(of_curvature(-1.0))
    real_features = features_of(real.images)
    encoder = of_curvature(
        config.analysis_curvature or curvature_of_median_radius(real_features)
    )
    features = np.concatenate([real_features, features_of(made)])
    labels = np.concatenate([real.labels, decoded.labels[rows]])
    synthetic = np.arange(len(labels)) >= len(real.labels)
    klein, log_gamma = lorentz.expmap0(
        tf.constant(features), encoder.curvature, encoder.max_tangent_norm
    )
    seen = np.rint(np.clip(made, 0, 255)).astype(np.uint8)
    return encoder, Embeddings(
        images=np.concatenate([real.images, seen]),
        labels=labels,
        synthetic=synthetic,
        features=features,
        klein=klein.numpy(),
        log_gamma=log_gamma.numpy(),
        radius=encoder.radius(tf.constant(features)).numpy(),
        weight=_weights(log_gamma.numpy(), labels, synthetic),
        label_names=dataset.label_names,
        curvature=encoder.curvature,
        max_tangent_norm=encoder.max_tangent_norm,
        origin=weights.origin,
    )


def first_of_each(labels: np.ndarray, most: int) -> np.ndarray:
    """Returns the first rows of each class, `[m]`, at most equally many of each.

    Args:
        labels: `[n]` integers.
        most: Upper bound of m; every class has at least one row even if m exceeds it.
    """
    classes = np.unique(labels)
    count = max(1, most // len(classes))
    return np.concatenate([np.flatnonzero(labels == c)[:count] for c in classes])


def draw_real_images(dataset: Dataset, most: int, seed: int) -> LabelledImages:
    """Draws training images, the same number of each class; a small class gives all.

    Args:
        dataset: Data set to draw from.
        most: Upper bound of the number of images; every class has at least one image
            even if the number exceeds it.
        seed: Seed of the draw.
    """
    labels, rows = dataset.training.labels, []
    count = max(1, most // dataset.num_classes)
    for label in range(dataset.num_classes):
        # A random stream for each class: its draw depends on that class alone.
        generator = np.random.default_rng([seed, Purpose.ANALYSIS_IMAGES, label])
        rows.append(generator.permutation(np.flatnonzero(labels == label))[:count])
    return dataset.training.take(np.concatenate(rows))


def feature_function(
    encoder: HyperbolicEncoder,
) -> Callable[[ImageRows], np.ndarray]:
    """Returns a function from `[n, h, w, c]` images to `[n, d]` features."""
    in_graph = tf.function(
        encoder.features,
        input_signature=[tf.TensorSpec([None, *encoder.image_shape], tf.float32)],
        autograph=False,
    )

    def features_of(images: ImageRows) -> np.ndarray:
        parts = [
            in_graph(images[first : first + _IMAGES_PER_PASS].astype(np.float32))
            for first in range(0, len(images), _IMAGES_PER_PASS)
        ]
        return np.concatenate([part.numpy() for part in parts])

    return features_of


def _weights(
    log_gamma: np.ndarray, labels: np.ndarray, synthetic: np.ndarray
) -> np.ndarray:
    """Returns each point's share in its class and kind, times the points' number."""
    weights = np.empty_like(log_gamma)
    for kind in (False, True):
        for label in np.unique(labels):
            rows = np.flatnonzero((labels == label) & (synthetic == kind))
            shares = centroids.lorentz_weights(tf.constant(log_gamma[rows]))
            weights[rows] = shares.numpy() * len(rows)
    return weights
