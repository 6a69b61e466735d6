"""The step against the authors' program, and against itself however it is split."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.class_blocks import plan_class_blocks
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.geometry.euclidean import EuclideanGeometry
from hdd_tf.geometry.hyperbolic import HyperbolicGeometry
from hdd_tf.networks.registry import build_network
from hdd_tf.objectives.building import build_iterative
from hdd_tf.objectives.features import FeatureComparison

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


class GoldenStore:
    """Serves every golden real image, in order."""

    def __init__(self, real):
        self._flat = tf.constant(real.reshape(-1, *real.shape[2:]))
        self._shape = real.shape[:2]

    def draw_indices(self, key, count, next_key=None):
        rows = tf.reshape(tf.range(self._flat.shape[0]), self._shape)
        return rows, tf.ones(self._shape)

    def gather(self, rows):
        return tf.gather(self._flat, rows)


def golden_matching(name, geometry):
    golden = np.load(GOLDEN / f"{name}.npz", allow_pickle=False)
    real, synthetic = golden["real"], golden["synthetic"]
    width = int(golden["width"])
    network = build_network("convnet", real.shape[2:], 4, depth=3, width=width)
    weights = []
    for block in range(3):
        weights += [golden[f"conv{block}_kernel"], np.ones(width), np.zeros(width)]
    weights += [np.zeros(shape) for shape in network.weight_shapes[-2:]]
    weights = [tf.constant(w, tf.float32) for w in weights]
    objective = Objective()
    objective.pass_of = lambda iteration, which: Pass(weights)
    if geometry == "hyperbolic":
        part = HyperbolicGeometry(
            curvature=float(golden["curvature"]),
            lift=str(golden["lift"]),
            max_tangent_norm=float(golden["max_tangent_norm"]),
            loss_weight=float(golden["loss_weight"]),
        )
    else:
        part = EuclideanGeometry()
    plain = Normalisation((0.0,) * 3, (1.0,) * 3)
    images = SyntheticSet(tf.constant(synthetic), plain)
    matching = ClassMatching(
        synthetic_set=images,
        store=GoldenStore(real),
        objective=objective,
        comparison=FeatureComparison(network, part),
        blocks=plan_class_blocks(4, 1, real.shape[1], synthetic.shape[1], 10_000),
        real_batch=real.shape[1],
        augmentations=dsa.Choice(),
        seed=0,
    )
    return matching, golden


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
@pytest.mark.parametrize("name", ["dm_step", "dm_step_project"])
def test_loss_and_gradient_equal_the_authors_program(name, geometry):
    # HDD repository 6ef9c12, torch 2.13.0; the losses are float64, hence the scale.
    matching, golden = golden_matching(name, geometry)
    loss, gradient, *_ = matching.match(tf.constant(0))
    np.testing.assert_allclose(loss, golden[f"{geometry}_loss_per_class"], rtol=2e-5)
    expected = golden[f"{geometry}_grad"]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradient / scale, expected / scale, atol=1e-4)


@pytest.fixture(scope="module")
def dataset():
    """Six classes of 20-30 images of 8x8 pixels, each class of its own brightness."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), [20, 22, 24, 26, 28, 30])
    images = (
        rng.integers(0, 256, (len(labels), 8, 8, 1)) // 4
        + 30 * labels[:, None, None, None]
    )
    training = LabelledImages(images.astype(np.uint8), labels)
    nothing = training.take(np.arange(0))
    return Dataset("small", training, None, nothing, tuple("abcdef"), (0.4,), (0.3,))


def run_images(dataset, strategy, *, max_images=10_000, calls=1):
    config = Config(
        dataset="arrays", ipc=2, seed=3, real_batch=25, image_lr=1.0, curvature=-0.5,
        loss_weight=20.0, max_images_per_forward=max_images,
    )  # fmt: skip
    network = build_network("convnet", dataset.image_shape, 6, depth=2, width=20)
    method = build_iterative(MethodContext(config, dataset, network, strategy))
    start = method._start.numpy()
    method.assemble()
    images, step = method.synthetic_set, DistillationStep(method)
    metrics = []
    for call in range(calls):
        metrics.append(step.run(call * 4 // calls, 4 // calls))
    assert step.trace_count == 1
    loss = np.concatenate([m["loss_per_class"] for m in metrics])
    norm = np.concatenate([m["gradient_norm"] for m in metrics])
    assert loss.shape == (4, 6) and norm.shape == (4,)
    assert not np.array_equal(images.images.numpy(), start)
    return images.images.numpy(), loss, norm


@pytest.fixture(scope="module")
def reference(dataset):
    return run_images(dataset, tf.distribute.OneDeviceStrategy("CPU:0"))


def assert_same(mine, expected):
    # Only the order of float32 sums may differ: 1e-6 of the largest value.
    assert np.abs(mine - expected).max() <= 1e-6 * np.abs(expected).max()


def stress(*values):
    return pytest.param(*values, marks=pytest.mark.stress)


# 6 classes of 25 real images: blocks of several classes, of one, chunks within one.
@pytest.mark.parametrize("max_images", [stress(100), stress(60), stress(25), 10])
def test_any_block_size_gives_the_same_images(dataset, reference, max_images):
    found = run_images(
        dataset, tf.distribute.OneDeviceStrategy("CPU:0"), max_images=max_images
    )
    for mine, expected in zip(found, reference, strict=True):
        assert_same(mine, expected)


# 6 classes do not divide by 4.
@pytest.mark.parametrize(
    ("replicas", "max_images"),
    [
        stress(2, 10_000),
        stress(3, 10_000),
        stress(4, 10_000),
        stress(2, 25),
        stress(3, 25),
        stress(4, 25),
    ],
)
def test_any_number_of_devices_gives_the_same_images(
    dataset, reference, replicas, max_images
):
    strategy = mirror_over([f"CPU:{i}" for i in range(replicas)])
    assert strategy.num_replicas_in_sync == replicas
    found = run_images(dataset, strategy, max_images=max_images)
    for mine, expected in zip(found, reference, strict=True):
        assert_same(mine, expected)


def test_several_calls_equal_one(dataset, reference):
    found = run_images(dataset, tf.distribute.OneDeviceStrategy("CPU:0"), calls=4)
    for mine, expected in zip(found, reference, strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_a_velocity_that_is_not_finite_is_seen_too(dataset):
    config = Config(dataset="arrays", ipc=1, width=4, depth=2)
    network = build_network("convnet", dataset.image_shape, 6, depth=2, width=4)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    method = build_iterative(MethodContext(config, dataset, network, strategy))
    method.assemble()
    assert method.finite_classes().numpy().all()
    velocity = method.state()["velocity"]
    broken = np.zeros(velocity.shape, np.float32)
    broken[2, 0, 1, 1] = np.inf
    velocity.assign(broken)
    assert method.finite_classes().numpy().tolist() == [True] * 2 + [False] + [True] * 3
