"""Matching in a product whose curvatures and weights are learnt as the images are."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.errors import InputError
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_method, build_step
from hdd_tf.reading.loading import dataset_from_arrays

BASE = Config(
    dataset="arrays", geometry="product", ipc=2, depth=2, width=8, loss_weight=20.0,
    image_lr=0.3, curvature=-0.5, real_batch=7, init="real", progress=False,
)  # fmt: skip


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


def state_of(step):
    """Returns images and what was learnt."""
    learner = step.method.state()["learner"]
    return [step.method.synthetic_set.images.numpy()] + [
        variable.numpy() for variable in learner.variables
    ]


@pytest.fixture(scope="module")
def whole(dataset, one_device):
    """Three iterations on one device: the losses, and the state."""
    step = build_step(context_of(dataset, one_device))
    before = state_of(step)
    losses = step.run(0, 3)["loss_per_class"].numpy()
    assert step.trace_count == 1
    after = state_of(step)
    for old, new in zip(before, after, strict=True):
        assert np.abs(old - new).max() > 1e-3
    return losses, after


@pytest.mark.slow
@pytest.mark.parametrize(
    ("devices", "changes"),
    [
        pytest.param(1, {"max_images_per_forward": 4}, marks=pytest.mark.stress),
        pytest.param(2, {}, marks=pytest.mark.stress),
        pytest.param(3, {"max_images_per_forward": 4}, marks=pytest.mark.stress),
    ],
)
def test_blocks_and_devices_learn_the_same(dataset, whole, devices, changes):
    strategy = mirror_over([f"CPU:{i}" for i in range(devices)])
    step = build_step(context_of(dataset, strategy, **changes))
    np.testing.assert_allclose(step.run(0, 3)["loss_per_class"], whole[0], rtol=1e-5)
    for found, expected in zip(state_of(step), whole[1], strict=True):
        assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.stress
def test_a_stopped_run_goes_on_to_the_bit(dataset, one_device, whole, tmp_path):
    first = build_step(context_of(dataset, one_device))
    first.run(0, 2)
    saved = tf.train.Checkpoint(**first.method.state()).save(str(tmp_path / "state"))
    second = build_step(context_of(dataset, one_device))
    state = tf.train.Checkpoint(**second.method.state())
    state.restore(saved).assert_existing_objects_matched()
    losses = second.run(2, 1)["loss_per_class"]
    np.testing.assert_array_equal(losses[0], whole[0][2])
    for found, expected in zip(state_of(second), whole[1], strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_only_passes_that_compare_teach(dataset, one_device, tmp_path):
    """DANCE's second pass is calibration, without real images."""
    context = context_of(
        dataset, one_device, objective="dance", num_experts=1, pretrain_epochs=1,
        formation_factor=1, expert_dir=str(tmp_path),
    )  # fmt: skip
    method = build_method(context)
    method.train_ahead()
    method.assemble()
    calls = []
    learner = method.state()["learner"]
    learn, learner.learn = learner.learn, lambda facts: (calls.append(1), learn(facts))
    method.iterate(tf.constant(0), 0)
    assert len(calls) == 1


@pytest.mark.stress
def test_a_bank_keeps_what_weights_do_not_change(dataset, one_device):
    options = {"product_curvature_lr": 0.0, "product_weight_lr": 0.5}
    anew, banked = (
        build_step(context_of(dataset, one_device, **options, **bank))
        for bank in ({}, {"real_bank_size": 1})
    )
    losses = [anew.run(0, 1)["loss_per_class"][0] for _ in range(3)]
    found = banked.run(0, 3)["loss_per_class"]
    np.testing.assert_allclose(found, losses, rtol=1e-5)
    logits = state_of(banked)[2]
    assert np.abs(logits).max() > 1e-3


def test_a_bank_is_refused_where_curvatures_are_learnt(dataset, one_device):
    words = "--geometry=product learns: leave it at 0, or give --product_curvature_lr=0"
    with pytest.raises(InputError, match=words):
        build_method(context_of(dataset, one_device, real_bank_size=2))


def test_maps_of_all_blocks_are_refused(dataset, one_device):
    with pytest.raises(InputError, match="--geometry=product learns what one distance"):
        build_method(context_of(dataset, one_device, matched_maps="blocks"))


def test_what_learns_nothing_has_no_state_of_it(dataset, one_device):
    options = {"product_curvature_lr": 0.0, "product_weight_lr": 0.0}
    step = build_step(context_of(dataset, one_device, **options))
    assert "learner" not in step.method.state()
