"""Matching with bfloat16 convolutions: the images' gradient stays that of float32."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_iterative
from hdd_tf.objectives.dance import expert_shelf
from hdd_tf.reading.loading import load_configured_dataset

SETTINGS = {
    "dataset": "digits", "ipc": 2, "real_batch": 32, "width": 32, "depth": 2,
    "init": "noise",
}  # fmt: skip


@functools.cache
def digits():
    return load_configured_dataset(Config(dataset="digits"))


def method_of(**settings):
    config = Config(**SETTINGS, **settings)
    network = matched_network(config, digits().image_shape, 10)
    strategy = tf.distribute.get_strategy()
    method = build_iterative(MethodContext(config, digits(), network, strategy))
    method.train_ahead()
    method.assemble()
    return method


@pytest.mark.stress
@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
def test_the_gradient_of_images_is_that_of_float32(geometry):
    matches = [
        tf.function(method_of(geometry=geometry, precision=p).matching.match)
        for p in ("float32", "bfloat16")
    ]
    for iteration in range(3):
        exact, fast = (
            np.ravel(match(tf.constant(iteration)).gradient) for match in matches
        )
        cosine = exact @ fast / np.linalg.norm(exact) / np.linalg.norm(fast)
        assert 0.9999 < cosine < 1.0 - 1e-12, "another one, or not rounded at all"


def test_pools_train_in_the_precision_asked_for():
    networks = {
        p: method_of(objective="idm", precision=p)._objective._network
        for p in ("float32", "bfloat16")
    }
    policies = {p: n.model.layers[1].compute_dtype for p, n in networks.items()}
    assert policies == {"float32": "float32", "bfloat16": "bfloat16"}


def test_experts_of_another_precision_are_other_experts(tmp_path):
    def path(**settings):
        config = Config(
            **SETTINGS, objective="dance", expert_dir=str(tmp_path), **settings
        )
        network = matched_network(config, digits().image_shape, 10)
        return expert_shelf(config, digits(), network).buffer.path

    assert path() == path(precision="float32")
    assert len({path(), path(precision="bfloat16"), path(precision="tf32")}) == 3
