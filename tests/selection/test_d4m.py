"""D4M: prototypes and sampling against the authors' program, and their parts."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.selection.d4m import noise
from hdd_tf.selection.d4m.lorentz_means import lorentz_prototypes
from hdd_tf.selection.d4m.prototypes import PrototypeStream

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "d4m.npz"


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN, allow_pickle=False)


@pytest.mark.parametrize("batch", [1, 10, 168])
def test_prototypes_are_those_of_the_program(golden, batch):
    latents, labels = golden["proto_latents"], golden["proto_labels"]
    ipc, expand, _ = golden["proto_ipc_expand_batch"]
    stream = PrototypeStream(3, ipc, expand)
    for start in range(0, len(latents), batch):
        part = slice(start, start + batch)
        stream.add(latents[part], labels[part])
    np.testing.assert_allclose(
        stream.centres(), golden["proto_prototypes"], rtol=1e-6, atol=1e-6
    )


def test_the_remainder_of_every_class_counts():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(22, 2, 2, 1)).astype(np.float32)
    labels = np.repeat([0, 1], 11)
    found = []
    for last in (0.0, 50.0):
        stream = PrototypeStream(2, 2, 2)
        moved = latents.copy()
        moved[[10, 21]] += last
        stream.add(moved, labels)
        found.append(stream.centres())
    assert np.abs(found[0] - found[1]).max(axis=(1, 2, 3, 4)).min() > 1


def test_schedule_and_times(golden):
    # The program's betas are float32.
    alphas = golden["alphas_cumprod"]
    np.testing.assert_allclose(noise.alphas_cumprod(), alphas, rtol=3e-6)
    strength, _, steps = golden["img2img_strength_guidance_steps"]
    times = noise.ddim_times(int(steps), strength)
    assert times == golden["img2img_ddim_timesteps"].tolist()


def test_img2img_is_that_of_the_program(golden):
    strength, guidance, steps = golden["img2img_strength_guidance_steps"]
    prototypes, start = (
        tf.constant(golden[f"img2img_{name}"]) for name in ("prototypes", "noise")
    )
    a, *shifts = (golden[f"img2img_{name}"] for name in ("a", "c_cond", "c_uncond"))
    alphas = golden["alphas_cumprod"]

    def predict(latents, time):
        told, untold = (
            tf.tanh(a * latents + shift) * (1 + time / 1000) for shift in shifts
        )
        return noise.guided(told, untold, guidance)

    first = golden["img2img_ddim_timesteps"][0]
    noisy = noise.add_noise(prototypes, start, alphas[first])
    np.testing.assert_allclose(noisy, golden["img2img_ddim_noisy"], rtol=1e-10)
    found = noise.ddim(predict, prototypes, start, int(steps), strength, alphas)
    np.testing.assert_allclose(found, golden["img2img_ddim_latents"], rtol=1e-10)


def test_no_strength_leaves_the_prototypes():
    prototypes = tf.ones([2, 3])
    assert noise.ddim(None, prototypes, prototypes, 50, 0.01) is prototypes


def plain_lloyd(latents, centres, rounds):
    """One latent and one centre at a time."""
    for _ in range(rounds):
        nearest = [
            int(np.argmin([np.sum((latent - c) ** 2) for c in centres]))
            for latent in latents
        ]
        centres = [
            np.mean([v for v, n in zip(latents, nearest, strict=True) if n == j], 0)
            if j in nearest
            else centre
            for j, centre in enumerate(centres)
        ]
    return np.array(centres)


class Chosen:
    """Random numbers that choose given rows."""

    def __init__(self, rows):
        self._rows = iter(rows)

    def integers(self, count):
        return next(self._rows)

    def choice(self, count, p):
        return next(self._rows)


@pytest.mark.parametrize("rounds", [1, 20])
def test_without_curvature_lorentz_means_are_lloyds(rounds):
    latents = np.random.default_rng(1).normal(size=(60, 5))
    found = lorentz_prototypes(latents, 4, -1e-9, Chosen([0, 7, 30, 31]), rounds)
    expected = plain_lloyd(latents, latents[[0, 7, 30, 31]], rounds)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def plain_lorentz_means(latents, start, curvature, rounds):
    """On the hyperboloid itself, one point and one centre at a time."""
    s = np.sqrt(-curvature)
    scale = 2 / np.median(np.linalg.norm(latents, axis=1))

    def lifted(v):
        r = s * np.linalg.norm(v)
        return np.array([np.cosh(r), *(np.sinh(r) * v / np.linalg.norm(v))]) / s

    def inner(x, y):
        return x[1:] @ y[1:] - x[0] * y[0]

    points = [lifted(scale * v) for v in latents]
    centres = [points[row] for row in start]
    for _ in range(rounds):
        distances = [
            [np.arccosh(max(1, curvature * inner(p, c))) / s for c in centres]
            for p in points
        ]
        nearest = np.argmin(distances, axis=1)
        sums = [np.sum([p for p, n in zip(points, nearest, strict=True) if n == j], 0)
                for j in range(len(centres))]  # fmt: skip
        centres = [total / (s * np.sqrt(-inner(total, total))) for total in sums]
    radii = [np.arccosh(s * c[0]) / s for c in centres]
    directions = [c[1:] / np.linalg.norm(c[1:]) for c in centres]
    return np.array(radii)[:, None] * directions / scale


@pytest.mark.parametrize("curvature", [-1.0, -0.25])
@pytest.mark.parametrize("rounds", [1, 5])
def test_lorentz_means_are_those_of_the_hyperboloid(curvature, rounds):
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(60, 2)) * rng.uniform(0.1, 3, (60, 1))
    start = [0, 7, 30, 31]
    found = lorentz_prototypes(latents, 4, curvature, Chosen(start), rounds)
    expected = plain_lorentz_means(latents, start, curvature, rounds)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    flat = lorentz_prototypes(latents, 4, -1e-9, Chosen(start), rounds)
    assert np.abs(found - flat).max() > 0.01


def test_lorentz_means_find_clusters_whatever_the_scale():
    rng = np.random.default_rng(0)
    middles = 5 * np.eye(3)
    latents = np.repeat(middles, 20, axis=0) + 0.1 * rng.normal(size=(60, 3))
    for scale in (1e-6, 1.0, 1e6):
        found = lorentz_prototypes(scale * latents, 3, -1.0, np.random.default_rng(0))
        order = np.argmax(found, axis=1)
        assert sorted(order) == [0, 1, 2]
        np.testing.assert_allclose(found[np.argsort(order)] / scale, middles, atol=0.15)


def test_lorentz_means_of_equal_latents_are_finite():
    for value in (0.0, 3.0):
        found = lorentz_prototypes(
            np.full((5, 2), value), 3, -1.0, np.random.default_rng(0)
        )
        np.testing.assert_allclose(found, np.full((3, 2), value), atol=1e-9)
