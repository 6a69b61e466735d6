"""IID against its program, and without its terms against IDM."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.errors import InputError
from hdd_tf.geometry.euclidean import EuclideanGeometry
from hdd_tf.networks.registry import build_network
from hdd_tf.objectives.building import build_method
from hdd_tf.objectives.covariance import ChannelDiscrepancy, channel_covariance
from hdd_tf.objectives.iid import (
    RelationsComparison,
    SecondNetwork,
    classes_of_a_pass,
)
from tests.objectives.golden_loop import GoldenLoop

PLAIN = EuclideanGeometry()
# Centres in networks with batch norm, and no covariances.
EITHER = {"iid_centre_weight": 0.01, "iid_network": "convnet_batch", "iid_networks": 2}


@pytest.fixture(scope="module")
def golden():
    return GoldenLoop("iid", unit_range=False)


class RecordedNetworks(Objective):
    """Matches in the networks that the program drew."""

    def __init__(self, golden):
        super().__init__(name="recorded")
        self._golden = (golden,)

    def pass_of(self, iteration, pass_index):
        (golden,), now = self._golden, int(iteration)
        second = golden.weights("second", int(golden.file["second_index"][now]))
        weight = golden.file["cross_entropy_weight"] * golden.file["accuracy"][now]
        return Pass(
            golden.weights("network", now),
            True,
            tf.constant(weight, tf.float32),
            SecondNetwork(second, []),
        )


def test_loop_equals_golden(golden):
    weights = [
        golden.file[f"{n}_weight"].item() for n in ("covariance", "centralization")
    ]
    channels = golden.network.feature_channels
    assert channels == 8
    comparison = RelationsComparison(
        golden.network,
        ChannelDiscrepancy(PLAIN, channels, weights[0]),
        golden.network,
        PLAIN,
        weights[1],
    )
    for iteration, found in golden.iterations(RecordedNetworks(golden), comparison):
        golden.assert_equal(found, iteration)


def test_channel_covariances_equal_golden(golden):
    file, network = golden.file, golden.network
    mean, std = file["mean"].astype("float32"), file["std"].astype("float32")
    weights = golden.weights("network", 0)
    first = [
        np.stack([file["real_images"][c][file["real_index"][0, c]] for c in range(3)]),
        file["decoded_first"][None],
    ]
    first[0] = (first[0] / np.float32(255.0) - mean) / std
    for images, expected in zip(
        first, (file["real_covariance"], file["synthetic_covariance"][:1]), strict=True
    ):
        flat = network.features(weights, images.reshape(-1, 16, 16, 3))
        features = tf.reshape(flat, [len(images), images.shape[1], -1])
        # Two images of weight 0 change nothing.
        padded = tf.concat([features, 9 * tf.ones_like(features[:, :2])], axis=1)
        kept = tf.concat([tf.ones(features.shape[:2]), tf.zeros([len(images), 2])], 1)
        found = channel_covariance(padded, 8, kept)
        np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())


def method_of(problem, strategy, **settings):
    config = Config(
        dataset="arrays", ipc=1, width=8, depth=2, image_lr=0.5, real_batch=12,
        idm_train_steps=1, idm_train_batch=16, idm_pool_start=1, loss_weight=20.0,
        **settings,
    )  # fmt: skip
    method = build_method(
        MethodContext(config, problem.dataset, problem.network, strategy, dry_run=True)
    )
    method.train_ahead()
    method.assemble()
    return method


def test_without_its_terms_it_is_idm_to_the_bit(problem, one_device):
    found = []
    none = {"iid_covariance_weight": 0, "iid_centre_weight": 0}
    for objective, own in (("idm", {}), ("iid", none), ("iid", {**none, **EITHER})):
        method = method_of(problem, one_device, objective=objective, **own)
        for iteration in range(2):
            losses = method.iterate(tf.constant(iteration), 0)["loss_per_class"]
        state = method.state()["objective"].variables
        found.append([x.numpy() for x in (method.synthetic_set.images, losses, *state)])
    for mine, other in zip(found[1], found[0], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert not np.array_equal(found[2][0], found[0][0])


def test_large_networks_see_fewer_classes_at_once():
    resnet = build_network("resnet18", (32, 32, 3), 10, 3, 128)
    # IPC 1, 10, 50 and 500 at factor 2; a class is never split.
    counts = [classes_of_a_pass(resnet, 4 * ipc) for ipc in (1, 10, 50, 500)]
    assert counts[0] > 50 and 1 < counts[1] < 20 and counts[2:] == [2, 1]


def test_images_too_small_for_the_trained_networks_are_refused(problem, one_device):
    with pytest.raises(InputError, match=r"--iid_network=resnet18: .* 9 pixels a side"):
        method_of(problem, one_device, objective="iid")
