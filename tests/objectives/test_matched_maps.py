"""Maps of every block, each matched by itself: loops, blocks, banks, devices."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.comparison import SyntheticBatch
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Pass
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.errors import InputError
from hdd_tf.geometry.registry import build_geometry
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_method, build_step
from hdd_tf.objectives.features import maps_comparison
from hdd_tf.objectives.matched_maps import block_readout, block_sizes
from hdd_tf.random_keys import derive_key
from hdd_tf.reading.loading import dataset_from_arrays

BASE = Config(
    dataset="arrays", ipc=2, depth=2, width=8, loss_weight=20.0, image_lr=0.3,
    curvature=-0.5, real_batch=7, init="real", progress=False, matched_maps="blocks",
)  # fmt: skip
GEOMETRIES = ("hyperbolic", "euclidean", "euclidean_unsquared", "root_weighted")


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 9)
    images = rng.integers(0, 120, (27, 8, 8, 2)) + 60 * labels[:, None, None, None]
    return dataset_from_arrays(images.astype(np.uint8), labels)


def context_of(dataset, strategy, **changes):
    config = dataclasses.replace(BASE, **changes)
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    return MethodContext(config, dataset, network, strategy)


@pytest.mark.parametrize(
    ("kind", "of_map"),
    [
        ("blocks", lambda maps: maps.reshape(len(maps), -1)),
        ("block_means", lambda maps: maps.mean(axis=(1, 2))),
    ],
)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_loss_is_the_sum_over_the_blocks(dataset, one_device, geometry, kind, of_map):
    context = context_of(dataset, one_device, geometry=geometry, matched_maps=kind)
    network, comparison = context.network, maps_comparison(context)
    weights = network.initial_weights(derive_key(1))
    rng = np.random.default_rng(1)
    real, made = (rng.normal(size=(3, n, 8, 8, 2)).astype("float32") for n in (5, 2))

    class Real:
        weights = tf.ones([3, 5])

        @staticmethod
        def map(per_image):
            return tf.reshape(per_image(tf.reshape(real, [15, 8, 8, 2])), [3, 5, -1])

    work = Pass(weights)
    found = comparison.loss(
        work, comparison.summarize(work, Real), SyntheticBatch(tf.constant(made), [0])
    )
    expected = np.zeros(3)
    for block in range(2):
        vectors = []
        for images in (real, made):
            flat = images.reshape(-1, 8, 8, 2)
            maps = network.block_outputs(weights, flat)["blocks"][block].numpy()
            rows = of_map(maps).reshape(*images.shape[:2], -1)
            vectors.append(tf.constant(rows))
        alone = build_geometry(context.config)
        expected += alone.loss(alone.summarize(vectors[0]), vectors[1]).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert block_sizes(network, kind) == ([128, 32] if kind == "blocks" else [8, 8])


def test_the_last_part_of_a_convnet_is_its_features(dataset, one_device):
    network = context_of(dataset, one_device).network.with_blocks()
    images = tf.random.stateless_normal([4, 8, 8, 2], derive_key(2))
    outputs = network.block_outputs(network.initial_weights(derive_key(1)), images)
    vectors = block_readout("blocks")(outputs)
    np.testing.assert_array_equal(vectors[:, -32:], outputs["features"])


def two_iterations(context):
    step = build_step(context)
    metrics = step.run(0, 2)
    return metrics["loss_per_class"].numpy(), step.method.synthetic_set.images.numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    "geometry",
    ["hyperbolic", pytest.param("euclidean", marks=pytest.mark.stress)],
)
@pytest.mark.parametrize(
    ("devices", "changes"),
    [
        pytest.param(1, {"max_images_per_forward": 4}, marks=pytest.mark.stress),
        pytest.param(2, {}, marks=pytest.mark.stress),
        pytest.param(2, {"max_images_per_forward": 4}, marks=pytest.mark.stress),
    ],
)
def test_blocks_of_classes_and_devices_give_the_same_images(
    dataset, one_device, geometry, devices, changes
):
    losses, images = two_iterations(context_of(dataset, one_device, geometry=geometry))
    plain = context_of(dataset, one_device, geometry=geometry, matched_maps="last")
    assert np.abs(two_iterations(plain)[1] - images).max() > 1e-4
    strategy = mirror_over([f"CPU:{index}" for index in range(devices)])
    found = two_iterations(context_of(dataset, strategy, geometry=geometry, **changes))
    np.testing.assert_allclose(found[0], losses, rtol=1e-5)
    assert np.abs(found[1] - images).max() <= 1e-6 * np.abs(images).max()


@pytest.mark.stress
def test_a_bank_revisits_every_part(dataset, one_device):
    step = build_step(context_of(dataset, one_device))
    losses = [step.run(0, 1)["loss_per_class"][0] for _ in range(2)]
    banked = build_step(context_of(dataset, one_device, real_bank_size=1))
    np.testing.assert_allclose(banked.run(0, 2)["loss_per_class"], losses, rtol=1e-5)


def test_networks_without_blocks_are_refused(dataset, one_device):
    with pytest.raises(InputError, match="does not provide them: give --network=conv"):
        build_method(context_of(dataset, one_device, network="mlp"))
