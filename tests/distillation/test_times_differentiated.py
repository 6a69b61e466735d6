"""What passes of images say about how often they are differentiated.

A piece that XLA compiles keeps TensorFlow's bits for gradients, but not for gradients
of these: a pass that says too little would give other bits, and only with large maps.
"""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.compilation import times_differentiated
from hdd_tf.networks.layers.conv_block import ConvBlock
from hdd_tf.networks.registry import build_network, matched_network
from hdd_tf.objectives.building import build_step
from hdd_tf.protocols.published import dm_protocol
from hdd_tf.protocols.sgd import classification_step
from hdd_tf.random_keys import derive_key
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.training.network_trainer import NetworkTrainer

SHAPE = (8, 8, 1)
# Of each class. Products with the number of classes, 2, tell the passes apart.
REAL, SYNTHETIC, INNER = 5, 3, 4
LABELS = np.repeat([0, 1], 10)
IMAGES = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), np.uint8)


@pytest.fixture
def passes(monkeypatch):
    """A set of (number of images, times) of every pass that is traced."""
    found, plain = set(), ConvBlock.call

    def call(block, inputs):
        found.add((inputs.shape[0], times_differentiated()))
        return plain(block, inputs)

    monkeypatch.setattr(ConvBlock, "call", call)
    return found


def run_step(**settings):
    config = Config(
        dataset="arrays", real_batch=REAL, ipc=SYNTHETIC, width=4, depth=1, **settings
    )
    dataset = dataset_from_arrays(IMAGES, LABELS)
    network = matched_network(config, SHAPE, 2)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    context = MethodContext(config, dataset, network, strategy, dry_run=True)
    build_step(context).run(0, 4)


def test_features_of_real_images_have_no_gradient(passes):
    run_step()
    assert passes == {(2 * REAL, 0), (2 * SYNTHETIC, 2)}


@pytest.mark.stress
def test_a_bank_lets_more_of_the_synthetic_side_be_compiled(passes):
    run_step(real_bank_size=2)
    assert {(2 * REAL, 0), (2 * SYNTHETIC, 2), (2 * SYNTHETIC, 1)} <= passes
    assert {times for images, times in passes if images == 2 * REAL} == {0}


@pytest.mark.parametrize("bank", [0, pytest.param(2, marks=pytest.mark.stress)])
def test_matched_gradients_are_differentiated_again(bank, passes):
    run_step(
        objective="dc", geometry="euclidean", dsa="none", dc_epochs=1, dc_batch=INNER,
        dc_updates=1 if bank else 4, real_bank_size=bank,
    )  # fmt: skip
    assert {times for images, times in passes if images == REAL} == {1}
    assert {times for images, times in passes if images == SYNTHETIC} == {2}
    if not bank:
        assert (INNER, 1) in passes


def test_networks_train_by_gradients(passes):
    network = build_network("convnet", SHAPE, 2, depth=1, width=4)
    weights = network.initial_weights(derive_key(0))
    images = tf.cast(IMAGES, tf.float32)
    classification_step(network, weights, weights, images, LABELS, 0.1, 0.0, 0.0)
    assert passes == {(len(IMAGES), 1)}
    passes.clear()
    normalisation = dataset_from_arrays(IMAGES, LABELS).normalisation
    protocol = dm_protocol(1, 7, 0.01, "none")
    NetworkTrainer(network, IMAGES, LABELS, normalisation, protocol).train(
        derive_key(0)
    )
    assert passes == {(7, 1), (6, 1)}
