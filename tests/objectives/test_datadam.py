"""DataDAM's attention and losses against the authors' program, and its batches."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.comparison import SyntheticBatch
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Pass
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.errors import InputError
from hdd_tf.networks.registry import build_network, matched_network
from hdd_tf.objectives.attention import attention
from hdd_tf.objectives.batch_statistics import BatchConvNet
from hdd_tf.objectives.building import build_method, build_step
from hdd_tf.random_keys import derive_key
from hdd_tf.reading.loading import dataset_from_arrays

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/datadam.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return dict(arrays)


def assert_near(found, expected, tolerance):
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("power", [1, 2, 4])
def test_attention_is_the_programs(golden, power):
    """A map of zeros, and one so small that its length is not divided by, too."""
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        maps = tf.constant(golden["maps"].astype(dtype))
        with tf.GradientTape() as tape:
            tape.watch(maps)
            found = attention(maps, power)
            total = tf.reduce_sum(found * golden["map_cotangent"].astype(dtype))
        gradient = tape.gradient(total, maps).numpy()
        for image in range(len(maps)):
            for mine, name in ((found.numpy(), ""), (gradient, "_grad")):
                expected = golden[f"attention_power{power}{name}"][image]
                if dtype == np.float32 and np.abs(expected).max() < 1e-30:
                    expected = expected * 0
                assert_near(mine[image], expected, tolerance)
    np.testing.assert_array_equal(gradient[3], 0.0)


class Images:
    """Real images that need no augmentation; see `RealBatch`."""

    def __init__(self, images):
        self._images = tf.constant(images)
        self.weights = tf.ones(images.shape[:2])

    def map(self, per_image):
        shape = self._images.shape
        values = per_image(tf.reshape(self._images, [-1, *shape[2:]]))
        return tf.reshape(values, [*shape[:2], *values.shape[1:]])


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 9)
    images = rng.integers(0, 120, (27, 16, 16, 3)) + 60 * labels[:, None, None, None]
    return dataset_from_arrays(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def one_device():
    return tf.distribute.OneDeviceStrategy("CPU:0")


def context_of(dataset, strategy, **settings):
    config = Config(
        dataset="arrays", objective="datadam", progress=False, ipc=2, width=8,
        **{"depth": 3, "geometry": "euclidean"} | settings,
    )  # fmt: skip
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    return MethodContext(config, dataset, network, strategy)


def golden_weights(golden):
    weights = []
    for block in range(3):
        names = (f"conv{block}_kernel", f"norm{block}_gamma", f"norm{block}_beta")
        weights += [tf.constant(golden[name]) for name in names]
    kernel = golden["classifier_kernel_hwc"].reshape(-1, 3)
    return [*weights, tf.constant(kernel), tf.constant(golden["classifier_bias"])]


# Batch norm in chunks, and at once; networks that are not of batches; p = 1 and 4.
@pytest.mark.parametrize(
    ("case", "max_images"),
    [
        pytest.param(0, 5, marks=pytest.mark.stress),
        (0, 1000),
        pytest.param(1, 5, marks=pytest.mark.slow),
        pytest.param(1, 1000, marks=pytest.mark.stress),
        pytest.param(2, 1000, marks=pytest.mark.stress),
        (3, 1000),
    ],
)
def test_loss_and_gradient_are_the_programs(
    golden, dataset, one_device, case, max_images
):
    norm, power = str(golden[f"case{case}_norm"]), int(golden[f"case{case}_power"])
    context = context_of(
        dataset, one_device, datadam_power=power, datadam_batch_norm=norm == "batch",
        max_images_per_forward=max_images,
    )  # fmt: skip
    comparison = build_method(context)._comparison
    work = Pass(golden_weights(golden))
    images = tf.constant(golden["synthetic"])

    @tf.function(autograph=False)
    def loss_and_gradient():
        real = comparison.summarize(work, Images(golden["real"]))
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = comparison.loss(work, real, SyntheticBatch(images, tf.range(3)))
        return loss, tape.gradient(loss, images)

    loss, gradient = loss_and_gradient()
    assert_near(loss, golden[f"case{case}_loss_per_class"], 1e-5)
    assert_near(tf.reduce_sum(loss), golden[f"case{case}_loss"], 1e-5)
    assert_near(gradient, golden[f"case{case}_grad_synthetic"], 1e-4)


def test_statistics_are_of_counted_images_alone(golden):
    """Images of weight 0, of classes smaller than the batch, take no part."""
    weights = golden_weights(golden)
    images = tf.constant(golden["real"][0])
    for max_images in (8, 3):
        network = BatchConvNet(
            (16, 16, 3), 3, lambda maps: attention(maps, 1), max_images
        )
        expected = network.vectors(weights, images[:5])
        counted = tf.cast(tf.range(8) < 5, tf.float32)
        found = network.vectors(weights, images, counted)
        assert found.shape == (8, 256 + 64 + 32)
        assert_near(found[:5], expected, 1e-5)


def test_statistics_are_those_of_keras():
    """The network with batch norm is the registry's one, in training mode."""
    network = build_network("convnet_batch", (28, 28, 1), 3, 2, 8)
    weights = network.initial_weights(derive_key(1))
    images = tf.random.stateless_normal([6, 28, 28, 1], derive_key(2))
    outputs, _ = network.model.stateless_call(
        weights, network.initial_variables(derive_key(1))[1], images, training=True
    )
    mine = BatchConvNet((28, 28, 1), 2, lambda maps: attention(maps, 1), 4)
    found = mine.vectors(weights, images)
    # Images of 28x28 have maps of 32x32.
    assert found.shape == (6, 32 * 32 + 8 * 8 * 8)
    assert_near(found[:, 32 * 32 :], outputs["features"], 1e-5)


def test_several_devices_and_other_networks_are_refused(dataset, one_device):
    two = mirror_over([f"CPU:{i}" for i in range(2)])
    with pytest.raises(InputError, match="and 2 compute here: give --strategy=one"):
        build_method(context_of(dataset, two))
    build_method(context_of(dataset, two, datadam_batch_norm=False))
    with pytest.raises(InputError, match="--datadam_batch_norm=true is of --network=c"):
        build_method(context_of(dataset, one_device, activation="sigmoid"))
    with pytest.raises(InputError, match="the network mlp does not provide them"):
        build_method(
            context_of(dataset, one_device, network="mlp", datadam_batch_norm=False)
        )


@pytest.mark.stress
@pytest.mark.parametrize("geometry", ["euclidean", "hyperbolic"])
def test_chunks_and_a_bank_give_the_same_images(dataset, one_device, geometry):
    options = {"geometry": geometry, "real_batch": 7, "depth": 2}
    step = build_step(context_of(dataset, one_device, **options))
    start = step.method.synthetic_set.images.numpy()
    losses = [step.run(0, 1)["loss_per_class"][0] for _ in range(2)]
    assert step.trace_count == 1
    expected = step.method.synthetic_set.images.numpy()
    moved = np.abs(expected - start).max()
    assert moved > 1e-4
    # All real images in chunks, and then a revisit, which sees no real image.
    parts = build_step(
        context_of(
            dataset, one_device, max_images_per_forward=4, real_bank_size=1, **options
        )
    )
    metrics = parts.run(0, 2)
    np.testing.assert_allclose(metrics["loss_per_class"], losses, rtol=1e-4)
    error = np.abs(parts.method.synthetic_set.images.numpy() - expected).max()
    assert error <= 1e-6 * np.abs(expected).max() + 1e-4 * moved
