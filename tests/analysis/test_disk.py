"""The projection onto the disk: exact radii always, exact distances where they fit."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.analysis.disk import distances_in_ball, project_to_disk
from hdd_tf.analysis.disk_layout import lay_out
from hdd_tf.geometry import coordinates, lorentz


def lifted(v):
    klein, log_gamma = lorentz.expmap0(tf.constant(v, tf.float32), -1.0)
    return klein.numpy(), log_gamma.numpy(), np.linalg.norm(v, axis=-1)


def disk_distances(points):
    """Returns the distances of the Poincare disk by their usual formula."""
    square = (points**2).sum(-1)
    gap = ((points[:, None] - points[None]) ** 2).sum(-1)
    return np.arccosh(1 + 2 * gap / ((1 - square)[:, None] * (1 - square)[None]))


def test_a_plane_is_found_again_in_twenty_dimensions():
    generator = np.random.default_rng(0)
    axes = np.linalg.qr(generator.normal(size=(20, 2)))[0]
    flat = generator.normal(size=(60, 2)) * 1.2
    klein, log_gamma, radius = lifted(flat @ axes.T)
    found = project_to_disk(klein, log_gamma, radius)
    assert found.stress < 0.01
    assert found.rank_correlation > 0.999
    expected = distances_in_ball(klein, log_gamma)
    np.testing.assert_allclose(disk_distances(found.coordinates), expected, atol=0.1)


@pytest.mark.parametrize("scale", [0.3, 2.0, 12.0])
def test_radii_are_exact_and_stress_is_what_it_says(scale):
    generator = np.random.default_rng(1)
    klein, log_gamma, radius = lifted(scale * generator.normal(size=(40, 7)) / 3)
    found = project_to_disk(klein, log_gamma, radius)
    length = np.linalg.norm(found.coordinates, axis=-1)
    np.testing.assert_allclose(length, np.tanh(radius / 2), rtol=1e-6)
    if scale < 10:  # Beyond, the plain formula has no digits left.
        wanted = distances_in_ball(klein, log_gamma)
        error = disk_distances(found.coordinates) - wanted
        stress = np.sqrt((error**2).sum() / (wanted**2).sum())
        assert found.stress == pytest.approx(stress, rel=1e-3)


def test_better_than_principal_angles_and_repeatable():
    generator = np.random.default_rng(2)
    centres = generator.normal(size=(3, 30))
    v = centres.repeat(15, axis=0) + 0.4 * generator.normal(size=(45, 30))
    klein, log_gamma, radius = lifted(2 * v / np.linalg.norm(v, axis=-1).max())
    found = project_to_disk(klein, log_gamma, radius)
    again = project_to_disk(klein, log_gamma, radius)
    np.testing.assert_array_equal(found.coordinates, again.coordinates)
    assert found.stress < 0.25 and found.rank_correlation > 0.7
    # Three clusters stay three clusters.
    distances = disk_distances(found.coordinates)
    same = np.arange(45)[:, None] // 15 == np.arange(45) // 15
    assert np.median(distances[same]) < 0.7 * np.median(distances[~same])


def test_distances_of_coincident_and_antipodal_points():
    klein, log_gamma, _ = lifted(np.array([[1.0, 0], [1.0, 0], [-2.0, 0]]))
    found = distances_in_ball(klein, log_gamma)
    np.testing.assert_allclose(found, [[0, 0, 3], [0, 0, 3], [3, 3, 0]], atol=1e-5)


def test_overall_centroids_are_of_all_classes(embeddings):
    labels = np.arange(len(embeddings.labels)) % 12
    many = dataclasses.replace(
        embeddings, labels=labels, label_names=tuple(map(str, range(12)))
    )
    # Each class of both kinds.
    many = dataclasses.replace(many, synthetic=np.arange(len(labels)) // 12 % 2 == 0)
    layout = lay_out(many)
    assert len(layout.classes) == 10 and layout.centroids.shape == (11, 2, 2)
    for kind in (False, True):
        ball = coordinates.to_poincare(many.centroid(many.synthetic == kind), -1.0)
        length = np.linalg.norm(layout.centroids[0, int(kind)])
        assert length == pytest.approx(float(tf.norm(ball)), rel=1e-3)


def test_layout_places_samples_and_centroids_at_their_radii(embeddings):
    layout = lay_out(embeddings)
    assert (layout.classes == [0, 1, 2]).all()
    length = np.linalg.norm(layout.coordinates, axis=-1)
    expected = np.tanh(embeddings.radius[layout.rows] / 2)
    np.testing.assert_allclose(length, expected, rtol=1e-4)
    for number, rows in enumerate(
        [np.ones_like(embeddings.labels, bool)]
        + [embeddings.labels == label for label in range(3)]
    ):
        for kind in (False, True):
            point = embeddings.centroid(rows & (embeddings.synthetic == kind))
            ball = coordinates.to_poincare(point, -1.0)
            length = np.linalg.norm(layout.centroids[number, int(kind)])
            assert length == pytest.approx(float(tf.norm(ball)), rel=1e-3)
