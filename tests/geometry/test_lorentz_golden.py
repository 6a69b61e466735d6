"""The geometry against numbers of the authors' program.

`lorentz.npz` holds float64 values of the HDD repository at 6ef9c12, with its own edited
geoopt, under torch 2.13.0.
"""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry import centroids, coordinates, lorentz
from tests.geometry import oracle
from tests.geometry.matching import match

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "lorentz.npz"
# One synthetic sample at radius 10: the program's formulas cancel there.
CANCELLING_CASE = 3


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN, allow_pickle=False))


def options(golden, case):
    return (
        float(golden[f"case{case}_curvature"]),
        str(golden[f"case{case}_lift"]),
        float(golden[f"case{case}_max_tangent_norm"]),
    )


def assert_close(actual, expected, relative):
    """Relative to the largest entry: small ones are differences of large ones."""
    error = np.max(np.abs(actual - expected)) / np.max(np.abs(expected))
    assert error <= relative, error


def test_golden_has_the_cases(golden):
    assert golden["num_cases"] == 7


@pytest.mark.parametrize("case", range(7))
@pytest.mark.parametrize(
    ("dtype", "tolerance", "tolerance_gradient"),
    [("float64", 1e-10, 1e-10), ("float32", 2e-6, 1e-5)],
)
def test_distance_and_gradient(golden, case, dtype, tolerance, tolerance_gradient):
    real, synthetic = golden[f"case{case}_real"], golden[f"case{case}_synthetic"]
    distance, gradient = match(real, synthetic, *options(golden, case), dtype=dtype)
    if case == CANCELLING_CASE:
        tolerance, tolerance_gradient = (
            max(tolerance, 3e-8),
            max(tolerance_gradient, 3e-8),
        )
    assert_close(distance, golden[f"case{case}_distance"], tolerance)
    assert_close(gradient, golden[f"case{case}_grad_synthetic"], tolerance_gradient)


@pytest.mark.parametrize("case", range(7))
@pytest.mark.parametrize("side", ["real", "synthetic"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-6)]
)
def test_points_and_centroids(golden, case, side, dtype, tolerance):
    curvature, lift, max_tangent_norm = options(golden, case)
    v = tf.constant(golden[f"case{case}_{side}"], dtype)
    points = lorentz.lift(v, curvature, lift, max_tangent_norm)
    centroid = coordinates.to_lorentz(centroids.centroid(*points), curvature)
    points = coordinates.to_lorentz(points, curvature)
    assert_close(points.numpy(), golden[f"case{case}_{side}_points"], tolerance)
    if case == CANCELLING_CASE and side == "synthetic":
        tolerance = max(tolerance, 3e-8)
    assert_close(centroid.numpy(), golden[f"case{case}_{side}_centroid"], tolerance)


def test_cancelling_case_equals_mpmath(golden):
    prefix = f"case{CANCELLING_CASE}_"
    real, synthetic = golden[prefix + "real"], golden[prefix + "synthetic"]
    arguments = (real, synthetic, *options(golden, CANCELLING_CASE))
    distance, gradient = match(*arguments)
    np.testing.assert_allclose(distance, 14.75370497884382, rtol=1e-14)
    np.testing.assert_allclose(oracle.loss(*arguments), distance, rtol=1e-14)
    assert_close(gradient, oracle.loss_gradient(*arguments), 1e-13)
