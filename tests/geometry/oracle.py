"""Textbook hyperbolic geometry, slow and obvious, with as many digits as it takes.

Every formula is the definition on the hyperboloid, none is shared with `hdd_tf`. The
inner products of points at radius r cancel 2r / log(10) digits and the centroid as
many before that, so mpmath works with 1.8r + 60.
"""

from collections.abc import Sequence

import mpmath
import numpy as np
from mpmath import mpf

Vector = list[mpf]


def digits(*features: np.ndarray, curvature: float) -> int:
    norms = [np.linalg.norm(np.float64(rows), axis=-1).max() for rows in features]
    return int(1.8 * max(norms) * np.sqrt(-curvature)) + 60


def inner(x: Vector, y: Vector) -> mpf:
    return sum(a * b for a, b in zip(x[1:], y[1:], strict=True)) - x[0] * y[0]


def lift(
    row: Sequence[float], curvature: float, name: str, max_tangent_norm: float
) -> Vector:
    v = [mpf(float(x)) if not isinstance(x, mpf) else x for x in row]
    s = mpmath.sqrt(-mpf(curvature))
    norm = mpmath.sqrt(sum(x * x for x in v))
    if name == "project":
        return [mpmath.sqrt(1 / s**2 + norm**2), *v]
    if norm == 0:
        return [1 / s, *v]
    radius = s * norm
    if max_tangent_norm:
        radius = min(radius, mpf(max_tangent_norm))
    growth = mpmath.exp(radius)
    cosh, sinh = (growth + 1 / growth) / 2, (growth - 1 / growth) / 2
    return [cosh / s, *(sinh / s * x / norm for x in v)]


def centroid(
    points: list[Vector], curvature: float, weights: Sequence | None = None
) -> Vector:
    weights = [1.0] * len(points) if weights is None else weights
    # NumPy's numbers are none that mpmath takes.
    weights = [w if isinstance(w, mpf) else mpf(float(w)) for w in weights]
    total = [
        sum(w * x for w, x in zip(weights, axis, strict=True))
        for axis in zip(*points, strict=True)
    ]
    s = mpmath.sqrt(-mpf(curvature))
    return [x / (s * mpmath.sqrt(abs(inner(total, total)))) for x in total]


def rooted(points: list[Vector], curvature: float, power: float) -> list[mpf]:
    """Weights of the Lorentz centroid that stand for cosh(r)^power of Klein points."""
    s = mpmath.sqrt(-mpf(curvature))
    return [(s * x[0]) ** (mpf(power) - 1) for x in points]


def centre(
    features: Sequence,
    curvature: float,
    name: str,
    max_tangent_norm: float,
    power: float = 1.0,
) -> Vector:
    points = [lift(row, curvature, name, max_tangent_norm) for row in features]
    return centroid(points, curvature, rooted(points, curvature, power))


def distance(x: Vector, y: Vector, curvature: float) -> mpf:
    # The product is 1 exactly for coincident points, and rounding may go below.
    product = max(mpf(curvature) * inner(x, y), mpf(1))
    return mpmath.acosh(product) / mpmath.sqrt(-mpf(curvature))


def loss(
    real: np.ndarray,
    synthetic: np.ndarray,
    curvature: float,
    name: str = "expmap0",
    max_tangent_norm: float = 0.0,
    power: float = 1.0,
) -> float:
    """Distance of the centroids of features `[n, d]` and `[m, d]`."""
    with mpmath.workdps(digits(real, synthetic, curvature=curvature)):
        options = (curvature, name, max_tangent_norm, power)
        return float(
            distance(centre(real, *options), centre(synthetic, *options), curvature)
        )


def loss_gradient(
    real: np.ndarray,
    synthetic: np.ndarray,
    curvature: float,
    name: str = "expmap0",
    max_tangent_norm: float = 0.0,
    power: float = 1.0,
) -> np.ndarray:
    """Gradient of `loss` with respect to `synthetic`, by central differences."""
    options = (curvature, name, max_tangent_norm, power)
    gradient = np.zeros(synthetic.shape)
    with mpmath.workdps(digits(real, synthetic, curvature=curvature) + 30):
        step = mpf(10) ** -25
        real_centre = centre(real, *options)
        for index in np.ndindex(*synthetic.shape):
            values = []
            for sign in (1, -1):
                moved = [[mpf(float(x)) for x in row] for row in synthetic]
                moved[index[0]][index[1]] += sign * step
                moved_centre = centre(moved, *options)
                values.append(distance(real_centre, moved_centre, curvature))
            gradient[index] = float((values[0] - values[1]) / (2 * step))
    return gradient


def spherical_point(row: Sequence[float]) -> Vector:
    """The point of the unit sphere at the end of a tangent vector at the root."""
    v = [mpf(float(x)) for x in row]
    r = mpmath.sqrt(sum(x * x for x in v))
    return [mpmath.cos(r), *(mpmath.sin(r) * x / r for x in v)]


def spherical_loss(real: np.ndarray, synthetic: np.ndarray) -> float:
    """The arc cosine of the product of normalised mean points."""
    with mpmath.workdps(50):
        centres = []
        for rows in (real, synthetic):
            points = [spherical_point(row) for row in rows]
            mean = [sum(axis) for axis in zip(*points, strict=True)]
            length = mpmath.sqrt(sum(x * x for x in mean))
            centres.append([x / length for x in mean])
        return float(mpmath.acos(sum(a * b for a, b in zip(*centres, strict=True))))


def numpy_loss(
    real: np.ndarray, synthetic: np.ndarray, curvature: float, name: str
) -> float:
    """The same in float64, in the book's five lines: right for small radii only."""
    s = np.sqrt(-curvature)

    def centre(v: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(v, axis=-1, keepdims=True)
        if name == "project":
            points = np.concatenate([np.sqrt(1 / s**2 + norm**2), v], axis=-1)
        else:
            points = np.concatenate(
                [np.cosh(s * norm) / s, np.sinh(s * norm) / s * v / norm], axis=-1
            )
        mean = points.mean(axis=0)
        return mean / (s * np.sqrt(abs(mean[1:] @ mean[1:] - mean[0] ** 2)))

    x, y = centre(real), centre(synthetic)
    return float(np.arccosh(curvature * (x[1:] @ y[1:] - x[0] * y[0])) / s)
