"""Encoder and embeddings against formulas written out in numpy."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.analysis.embeddings import (
    draw_real_images,
    embed,
    feature_function,
)
from hdd_tf.analysis.encoder import HyperbolicEncoder, curvature_of_median_radius
from hdd_tf.geometry import coordinates


def features_by_hand(network, weights, dataset, images):
    return network.features(weights.weights, dataset.normalise(images)).numpy()


@pytest.mark.parametrize("curvature", [-1.0, -0.3, -4.0])
@pytest.mark.parametrize("clamp", [0.0, 1.5])
def test_coordinates(network, weights, dataset, curvature, clamp):
    encoder = HyperbolicEncoder(
        network, weights.weights, dataset.normalisation, curvature, clamp
    )
    images = dataset.training.images[:7]
    # Scaled such that cosh does not overflow and the clamp cuts some of them only.
    found = {name: value.numpy() for name, value in encoder(images).items()}
    v = features_by_hand(network, weights, dataset, images).astype(np.float64)
    s, norm = math.sqrt(-curvature), np.linalg.norm(v, axis=-1)
    r = np.minimum(s * norm, clamp) if clamp else s * norm
    direction = v / norm[:, None]
    near = {"rtol": 2e-5, "atol": 1e-6}
    np.testing.assert_allclose(found["features"], v, **near)
    np.testing.assert_allclose(found["radius"], r, **near)
    np.testing.assert_allclose(found["klein"], np.tanh(r)[:, None] * direction, **near)
    ball = np.tanh(r / 2)[:, None] * direction / s
    np.testing.assert_allclose(found["poincare"], ball, **near)
    space = np.sinh(r)[:, None] * direction / s
    time = np.cosh(r)[:, None] / s
    expected = np.concatenate([time, space], axis=-1)
    np.testing.assert_allclose(found["lorentz"] / time, expected / time, **near)


def test_bytes_and_floats_are_the_same_images(encoder, dataset):
    images = dataset.training.images[:5]
    from_bytes, from_floats = encoder(images), encoder(images.astype(np.float32))
    for name, value in from_bytes.items():
        np.testing.assert_array_equal(value, from_floats[name])


def test_curvature_puts_the_median_real_radius_at_two(embeddings):
    assert np.median(embeddings.radius[~embeddings.synthetic]) == pytest.approx(2)


def test_curvature_of_features_that_vanish():
    assert curvature_of_median_radius(np.zeros([4, 3], np.float32)) == -1.0
    assert curvature_of_median_radius(np.full([4, 1], 4.0)) == pytest.approx(-0.25)


def test_given_curvature_and_clamp_are_kept(experiment, weights, distilled):
    config = dataclasses.replace(
        experiment.config, analysis_curvature=-0.7, analysis_max_tangent_norm=1.0
    )
    run = dataclasses.replace(experiment, config=config)
    encoder, found = embed(run, weights, distilled)
    assert (encoder.curvature, encoder.max_tangent_norm) == (-0.7, 1.0)
    assert (found.curvature, found.max_tangent_norm) == (-0.7, 1.0)


def test_rows_are_what_they_say(embeddings, dataset, distilled, network, weights):
    real = ~embeddings.synthetic
    assert (real.sum(), embeddings.synthetic.sum()) == (60, 6)
    assert np.bincount(embeddings.labels[real]).tolist() == [20, 20, 20]
    np.testing.assert_array_equal(embeddings.labels[~real], distilled.labels)
    np.testing.assert_array_equal(
        embeddings.images[~real], np.rint(np.clip(distilled.images, 0, 255))
    )
    # Each real row is a training image of its label.
    of_class = {
        (label, image.tobytes())
        for label, image in zip(
            dataset.training.labels, dataset.training.images, strict=True
        )
    }
    for label, image in zip(
        embeddings.labels[real], embeddings.images[real], strict=True
    ):
        assert (label, image.tobytes()) in of_class
    # Features are of the images as they are, not as they are shown.
    expected = features_by_hand(network, weights, dataset, distilled.images)
    np.testing.assert_allclose(
        embeddings.features[~real], expected, rtol=1e-4, atol=1e-5
    )


def test_weights_are_shares_of_the_class_and_kind(embeddings):
    for kind in (False, True):
        for label in range(3):
            rows = (embeddings.labels == label) & (embeddings.synthetic == kind)
            cosh = np.cosh(embeddings.radius[rows].astype(np.float64))
            expected = cosh / cosh.mean()
            np.testing.assert_allclose(embeddings.weight[rows], expected, rtol=1e-4)


def test_centroid_is_that_of_the_formula(embeddings):
    rows = (embeddings.labels == 1) & ~embeddings.synthetic
    point = embeddings.klein[rows], embeddings.log_gamma[rows]
    z = coordinates.to_lorentz(tuple(map(tf.constant, point)), -1.0).numpy()
    mean = z.astype(np.float64).mean(axis=0)
    inner = mean[0] ** 2 - (mean[1:] ** 2).sum()
    expected = mean / math.sqrt(inner)
    found = coordinates.to_lorentz(embeddings.centroid(rows), -1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_draw_is_of_the_seed_and_of_each_class_alone(dataset):
    first = draw_real_images(dataset, 30, 0)
    np.testing.assert_array_equal(first.images, draw_real_images(dataset, 30, 0).images)
    assert not np.array_equal(first.images, draw_real_images(dataset, 30, 1).images)
    assert len(draw_real_images(dataset, 1, 0).images) == 3
    assert len(draw_real_images(dataset, 10_000, 0).images) == 90


def test_features_are_traced_once(encoder, dataset, monkeypatch):
    traces = []
    features = encoder.features
    monkeypatch.setattr(
        encoder, "features", lambda images: traces.append(1) or features(images)
    )
    features_of = feature_function(encoder)
    images = np.concatenate([dataset.training.images] * 2)  # A pass and a rest.
    found = [features_of(images[:count]) for count in (180, 3, 130)]
    assert len(traces) == 1 and len(found[0]) == 180
    np.testing.assert_allclose(found[1], found[0][:3], rtol=1e-4, atol=1e-5)


def test_many_synthetic_images_are_embedded_in_part(experiment, weights, distilled):
    few = dataclasses.replace(experiment.config, analysis_images=3)
    _, part = embed(dataclasses.replace(experiment, config=few), weights, distilled)
    assert part.labels[part.synthetic].tolist() == [0, 1, 2]
    shown = np.rint(np.clip(distilled.images[::2], 0, 255))
    np.testing.assert_array_equal(part.images[part.synthetic], shown)
