"""A run that stops and goes on gives the images of one that did not."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.data.loading import dataset_from_arrays
from hdd_tf.distillation.assembly import build_distillation
from hdd_tf.distillation.checkpoints import DistillationCheckpoints, load_images
from hdd_tf.errors import InputError
from hdd_tf.networks.registry import matched_network

STRATEGY = tf.distribute.OneDeviceStrategy("CPU:0")


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 12)
    images = rng.integers(0, 150, (36, 8, 8, 1)) + 50 * labels[:, None, None, None]
    return dataset_from_arrays(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return {
        "dataset": "arrays", "ipc": 1, "depth": 2, "width": 4, "real_batch": 8,
        "image_lr": 0.3, "loss_weight": 20.0, "progress": False, "idm_pool_start": 1,
        "idm_pool_size": 3, "idm_join_every": 2, "idm_reset_every": 3,
        "idm_train_steps": 2, "idm_train_batch": 8, "num_experts": 2,
        "pretrain_epochs": 1, "expert_dir": str(tmp_path_factory.mktemp("experts")),
    }  # fmt: skip


@pytest.mark.parametrize("objective", ["dm", "idm", "dance"])
def test_resumed_run_gives_the_same_images(dataset, settings, objective, tmp_path):
    config = Config(objective=objective, **settings)

    def build():
        network = matched_network(config, dataset.image_shape, dataset.num_classes)
        parts = build_distillation(config, dataset, STRATEGY, network)
        return parts, DistillationCheckpoints(
            tmp_path / "checkpoints",
            parts.synthetic_set,
            parts.image_sgd,
            parts.objective,
        )

    whole, checkpoints = build()
    assert checkpoints.restore() == (0, 0.0)
    whole.step.run(0, 3)
    checkpoints.save(3, 1.5)
    whole.step.run(3, 4)
    resumed, checkpoints = build()
    assert checkpoints.restore() == (3, 1.5)
    pixels, iteration = load_images(tmp_path)
    np.testing.assert_array_equal(pixels, resumed.synthetic_set.pixels())
    assert iteration == 3
    resumed.step.run(3, 4)
    np.testing.assert_array_equal(
        resumed.synthetic_set.images.numpy(), whole.synthetic_set.images.numpy()
    )
    for mine, other in zip(
        resumed.objective.variables, whole.objective.variables, strict=True
    ):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    # Otherwise the second half would prove nothing.
    assert not np.array_equal(pixels, resumed.synthetic_set.pixels())


def test_checkpoint_of_another_version_is_not_called_damaged(
    dataset, settings, tmp_path
):
    state = tf.train.Checkpoint(iteration=tf.Variable(3, dtype=tf.int64))
    manager = tf.train.CheckpointManager(
        state, str(tmp_path), 2, checkpoint_name="iteration"
    )
    manager.save(checkpoint_number=3)
    config = Config(objective="dm", **settings)
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    parts = build_distillation(config, dataset, STRATEGY, network)
    with pytest.raises(InputError, match="written by another version of hdd_tf"):
        DistillationCheckpoints(
            tmp_path, parts.synthetic_set, parts.image_sgd, parts.objective
        ).restore()
