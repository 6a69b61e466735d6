"""M3D's kernels and iteration against the authors' program, and hyperbolic kernels."""

import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa, warp
from hdd_tf.config import Config
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.class_blocks import plan_class_blocks
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.errors import InputError
from hdd_tf.geometry import lorentz
from hdd_tf.networks.registry import build_network
from hdd_tf.objectives import m3d
from hdd_tf.objectives.dm import DistributionMatching
from hdd_tf.objectives.features import FeatureComparison
from hdd_tf.objectives.kernel import adaptive, bandwidth, squared_distances
from hdd_tf.objectives.m3d import build_kernel

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/m3d.npz"
# The program's names of the kernels, by ours.
NAMES = {
    "gaussian": "gaussian", "linear": "linear", "polynomial": "polinominal",
    "laplace": "laplace",
}  # fmt: skip
HYPERBOLIC = {"geometry": "hyperbolic", "curvature": -0.05, "max_tangent_norm": 0}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return dict(arrays)


def kernel_of(name, **settings):
    settings = {"geometry": "euclidean"} | settings
    return build_kernel(
        Config(dataset="x", objective="m3d", m3d_kernel=name, **settings)
    )


def loss_and_gradient(kernel, real, synthetic, weights=None):
    """The loss of one class, and its gradient of the synthetic vectors."""
    real, synthetic = tf.constant(real[None]), tf.constant(synthetic[None])
    with tf.GradientTape() as tape:
        tape.watch(synthetic)
        loss = kernel.loss(kernel.summarize(real, weights), synthetic)
    return loss.numpy()[0], tape.gradient(loss, synthetic).numpy()[0]


def assert_near(found, expected, tolerance):
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("case", [0, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_kernels_are_the_programs(golden, name, case):
    real, synthetic = (golden[f"kernel{case}_{k}"] for k in ("real", "synthetic"))
    exact = 1e-7 if name == "laplace" else 1e-10
    for dtype, tolerance in ((np.float64, exact), (np.float32, 5e-6)):
        loss, gradient = loss_and_gradient(
            kernel_of(name), real.astype(dtype), synthetic.astype(dtype)
        )
        expected = (golden[f"kernel{case}_{NAMES[name]}_{k}"] for k in ("loss", "grad"))
        assert loss.dtype == dtype
        assert_near(loss, next(expected), tolerance)
        assert_near(gradient, next(expected), tolerance)


@pytest.mark.parametrize("case", [0, 1, 2])
def test_bandwidth_and_matrix_are_the_programs(golden, case):
    real, made = (
        tf.constant(golden[f"kernel{case}_{k}"].astype(np.float64))[None]
        for k in ("real", "synthetic")
    )
    distances, weights = (
        squared_distances(made, real),
        tf.ones(real.shape[:2], real.dtype),
    )
    found = bandwidth(distances, weights).numpy().item()
    assert found == pytest.approx(float(golden[f"kernel{case}_bandwidth"]), rel=1e-12)
    own, cross, others = (part.numpy()[0] for part in adaptive(distances, weights))
    matrix = np.block([[own, cross], [cross.T, others]])
    assert_near(matrix, golden[f"kernel{case}_gaussian_matrix"], 1e-12)
    np.testing.assert_array_equal(np.diag(matrix), 5.0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, {}) for name in NAMES), ("exponential", HYPERBOLIC)],
)
def test_images_of_weight_0_leave_the_loss(golden, name, settings):
    real, synthetic = (golden[f"kernel2_{k}"] for k in ("real", "synthetic"))
    kernel = kernel_of(name, **settings)
    expected = loss_and_gradient(kernel, real[:20], synthetic)
    weights = tf.cast(tf.range(31) < 20, tf.float32)[None]
    found = loss_and_gradient(kernel, real, synthetic, weights)
    for mine, its in zip(found, expected, strict=True):
        assert_near(mine, its, 2e-6)


@pytest.mark.parametrize("settings", [{}, HYPERBOLIC])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_that_are_all_equal_have_no_loss_and_no_gradient(settings, dtype):
    vectors = np.full([3, 2048], 0.7, dtype)
    loss, gradient = loss_and_gradient(kernel_of("auto", **settings), vectors, vectors)
    assert abs(loss) < 1e-6
    np.testing.assert_array_equal(gradient, 0.0)
    # At the origin of hyperbolic space too.
    loss, gradient = loss_and_gradient(
        kernel_of("auto", **settings), 0 * vectors, 0 * vectors
    )
    assert abs(loss) < 1e-6 and np.isfinite(gradient).all()


def slow_hyperbolic(real, synthetic, curvature, power):
    """The loss by a loop over pairs of points."""
    both = np.concatenate([synthetic, real]).astype(np.float64)
    points = [lorentz.expmap0(tf.constant(v), curvature) for v in both]
    distance = np.array(
        [[lorentz.geodesic_distance(a, b, curvature) ** power for b in points]
         for a in points]
    )  # fmt: skip
    count, own = len(both), len(synthetic)
    mean = distance.sum() / (count**2 - count)
    kernel = sum(np.exp(-distance / (q * mean)) for q in (0.25, 0.5, 1, 2, 4))
    blocks = kernel[:own, :own], kernel[:own, own:], kernel[own:, own:]
    return blocks[0].mean() - 2 * blocks[1].mean() + blocks[2].mean()


@pytest.mark.parametrize(("name", "power"), [("exponential", 1), ("gaussian", 2)])
@pytest.mark.parametrize("case", [0, 1])
def test_hyperbolic_kernels_are_those_of_geodesic_distances(golden, name, power, case):
    real, synthetic = (golden[f"kernel{case}_{k}"] for k in ("real", "synthetic"))
    kernel = kernel_of(name, loss_weight=3.0, **HYPERBOLIC)
    expected = 3.0 * slow_hyperbolic(real, synthetic, -0.05, power)
    for dtype, tolerance in ((np.float64, 1e-7), (np.float32, 2e-5)):
        mine = real.astype(dtype), synthetic.astype(dtype)
        loss, gradient = loss_and_gradient(kernel, *mine)
        assert loss == pytest.approx(expected, rel=tolerance)
        # Case 1 has equal vectors, real and synthetic ones.
        assert np.isfinite(gradient).all()
    # The bandwidth has no gradient, so the slope is that of the loss at a fixed one.
    assert np.abs(gradient).max() > 1e-4


def test_the_hyperbolic_gradient_is_the_slope_at_a_fixed_bandwidth(golden, monkeypatch):
    real, made = (
        golden[f"kernel0_{k}"].astype(np.float64) for k in ("real", "synthetic")
    )
    kernel = kernel_of("exponential", **HYPERBOLIC)
    _, gradient = loss_and_gradient(kernel, real, made)
    distances = kernel._measure(tf.constant(made[None]), tf.constant(real[None]))
    fixed = bandwidth(distances, tf.ones([1, len(real)], tf.float64))
    monkeypatch.setattr("hdd_tf.objectives.kernel.bandwidth", lambda *_: fixed)
    step = np.zeros_like(made)
    step[1] = 1e-5 * np.cos(np.arange(made.shape[1]))
    ends = (loss_and_gradient(kernel, real, made + s * step)[0] for s in (1, -1))
    assert next(ends) - next(ends) == pytest.approx(
        2 * (gradient * step).sum(), rel=1e-6
    )


@pytest.mark.parametrize(
    ("name", "geometry"),
    [("exponential", "euclidean"), ("linear", "hyperbolic"), ("laplace", "hyperbolic")],
)
def test_a_kernel_of_the_other_geometry_is_refused(name, geometry):
    with pytest.raises(InputError, match=f"--m3d_kernel={name} is no kernel of"):
        kernel_of(name, geometry=geometry)


def weights_of(golden, prefix, number=None):
    """The weights of a golden ConvNet, whose classifier takes no part."""
    network = build_network("convnet", (16, 16, 3), 3, 3, 8)
    weights = []
    for block in range(3):
        for name in (f"conv{block}_kernel", f"norm{block}_gamma", f"norm{block}_beta"):
            value = golden[f"{prefix}_{name}"]
            weights.append(tf.constant(value if number is None else value[number]))
    weights += [tf.zeros(shape) for shape in network.weight_shapes[-2:]]
    return network, weights


def golden_normalisation(golden):
    return Normalisation(
        *(tuple(float(v) for v in golden[key]) for key in ("mean", "std"))
    )


def test_loss_and_gradient_of_augmented_images_are_the_programs(golden):
    network, weights = weights_of(golden, "augmented")
    normalisation = golden_normalisation(golden)

    def drawn(name):
        return tf.constant(golden[f"augmented_{name}"][None], tf.float32)

    shift = tf.constant(golden["augmented_crop_shift"], tf.float32)[:, None]
    one = tf.ones([1])
    parameters = dsa.DSAParameters(
        drawn("brightness_added"), drawn("saturation"), drawn("contrast"),
        warp.affine_maps(
            16, 16, shift_rows=shift[0], shift_columns=shift[1],
            mirror=tf.constant([False]), scale_x=one, scale_y=one, angle=0 * one,
        ),
        tf.constant(golden["augmented_cutout"][None]),
    )  # fmt: skip
    real = dsa.apply(
        normalisation.normalise(golden["augmented_real"])[None], parameters, False
    )
    assert_near(real[0], golden["augmented_seen_real"], 1e-5)
    kernel = kernel_of("gaussian")
    stored = SyntheticSet(
        normalisation.normalise(255 * golden["augmented_synthetic"])[None],
        normalisation, 2, unit_range=True,
    )  # fmt: skip
    summary = kernel.summarize(network.features(weights, real[0])[None])
    with tf.GradientTape() as tape:
        seen = dsa.apply(stored.decode(stored.images), parameters, True)
        features = network.features(weights, seen[0])[None]
        loss = kernel.loss(summary, features)
    assert_near(seen[0], golden["augmented_seen_synthetic"], 1e-5)
    assert_near(loss, golden["augmented_loss"], 2e-5)
    gradient = tape.gradient(loss, stored.images)[0]
    assert_near(gradient, golden["augmented_gradient"], 1e-4)


class GoldenStore:
    """Serves the real images that the program drew, in its order."""

    def __init__(self, images, normalisation):
        self._images = normalisation.normalise(images.reshape(-1, *images.shape[2:]))
        self._each = images.shape[1]
        self.drawn = None

    def draw_indices(self, key, count, next_key=None):
        assert self.drawn.shape[1] == count
        rows = self.drawn + self._each * np.arange(len(self.drawn))[:, None]
        return tf.constant(rows), tf.ones(rows.shape)

    def gather(self, rows):
        return tf.gather(self._images, rows)


def test_iterations_are_the_programs(golden):
    networks = [weights_of(golden, "network", number) for number in (0, 1)]
    normalisation = golden_normalisation(golden)
    store = GoldenStore(golden["real_images"], normalisation)
    objective = Objective()
    images = SyntheticSet(
        normalisation.normalise(255 * golden["initial_images"]),
        normalisation, 2, unit_range=True,
    )  # fmt: skip
    rate, momentum = (float(golden[k]) for k in ("learning_rate", "momentum"))
    optimiser = ImageSGD(images.images, rate, momentum, per_class=True)
    matching = ClassMatching(
        synthetic_set=images,
        store=store,
        objective=objective,
        comparison=FeatureComparison(networks[0][0], kernel_of("gaussian")),
        blocks=plan_class_blocks(3, 1, 12, 8, 10_000),
        real_batch=12,
        augmentations=dsa.Choice(),
        seed=0,
    )
    for iteration, number in enumerate(golden["network_index"]):
        # Numbers of networks are those of `DistributionMatching`.
        assert number == iteration // golden["iterations_per_model"]
        objective.pass_of = lambda i, which, n=number: Pass(networks[n][1])
        store.drawn = golden["real_index"][iteration]
        optimiser.before_gradient()
        assert_near(images.images, golden["at_gradient"][iteration], 2e-5)
        loss, gradient, *_ = matching.match(tf.constant(iteration))
        optimiser.apply(gradient)
        assert_near(loss, golden["loss_per_class"][iteration], 2e-5)
        assert_near(gradient, golden["gradient"][iteration], 1e-4)
        # The program clamps at the start of the next iteration.
        images.clip()
        expected = np.clip(golden["trajectory"][iteration], 0, 1)
        assert_near(images.images, expected, 2e-5)


@pytest.mark.parametrize("each", [1, 3])
def test_a_network_stays_for_so_many_iterations(each):
    network = types.SimpleNamespace(initial_weights=lambda key: key.numpy().tolist())
    objective = DistributionMatching(network, 5, each)
    keys = [tuple(objective.pass_of(tf.constant(i), 0).weights) for i in range(7)]
    assert [keys.index(key) // each for key in keys] == [i // each for i in range(7)]


def images_after(problem, strategy, **settings):
    """Images and losses of two iterations of M3D on the small problem."""
    config = {
        "m3d_kernel": "auto", "geometry": "hyperbolic", "curvature": -0.05,
        "lift": "expmap0", "max_tangent_norm": 0.0, "loss_weight": 1.0, "image_lr": 2.0,
        "dsa": "color_crop_cutout", "dance_max_decoded": 0, "iterations_per_network": 2,
        # Larger than the smallest class, of which some images then count nothing.
        "real_batch": 22,
        "traits": types.SimpleNamespace(update_per_class=True, unit_range=True),
    } | settings  # fmt: skip
    step = DistillationStep(built(problem.context(strategy, **config)))
    metrics = step.run(0, 2)
    assert step.trace_count == 1
    return step.method.synthetic_set.images.numpy(), metrics["loss_per_class"].numpy()


def built(context):
    method = m3d.build(context)
    method.assemble()
    return method


# How the seam splits classes over devices is tested with other methods every day.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("geometry", "replicas"),
    [
        pytest.param("hyperbolic", 1, marks=pytest.mark.stress),
        pytest.param("hyperbolic", 3, marks=pytest.mark.stress),
        pytest.param("euclidean", 2, marks=pytest.mark.stress),
    ],
)
def test_blocks_and_devices_give_the_same_images(
    problem, one_device, geometry, replicas
):
    expected, losses = images_after(problem, one_device, geometry=geometry)
    assert (losses > 0).all() and expected.min() >= 0 and expected.max() <= 1
    devices = [f"CPU:{i}" for i in range(replicas)]
    strategy = mirror_over(devices) if replicas > 1 else one_device
    # Real images of a class in several parts, and blocks of one class.
    found, again = images_after(
        problem, strategy, geometry=geometry, max_images_per_forward=9
    )
    assert np.abs(found - expected).max() <= 1e-6
    np.testing.assert_allclose(again, losses, rtol=1e-5)
