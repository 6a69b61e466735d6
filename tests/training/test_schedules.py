"""The rate of each epoch."""

import pathlib

import numpy as np

from hdd_tf.protocols.published import dance_protocol, dm_protocol
from hdd_tf.protocols.schedules import optimiser_starts, rate_at
from hdd_tf.protocols.training_protocol import TrainingProtocol

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "rded.npz"


def rates(protocol):
    return [rate_at(protocol, epoch) for epoch in range(protocol.epochs)]


def test_cosine_ends_half_way_as_rdeds_does():
    expected = np.load(GOLDEN, allow_pickle=False)["schedule"]
    protocol = TrainingProtocol(300, learning_rate=0.002, schedule="cosine", period=600)
    np.testing.assert_allclose(rates(protocol), 0.002 * expected, rtol=1e-7)
    assert 0.5 < rates(protocol)[-1] / 0.002 < 0.51


def test_cosine_of_its_own_length_ends_at_nothing():
    found = rates(TrainingProtocol(10, learning_rate=0.1, schedule="cosine", period=10))
    assert found[0] == 0.1 and found[5] == 0.05
    np.testing.assert_allclose(found[-1], 0.1 * (1 + np.cos(0.9 * np.pi)) / 2)


def test_drops_of_the_published_protocols():
    found = rates(dm_protocol(1001, 256, 0.01, "none"))
    assert found[501] == 0.01 and found[502] == found[1000] == 0.01 * 0.1
    protocol = dance_protocol(12, 64, 0.01, "none")
    found = rates(protocol)
    assert (found[7], found[8], found[10]) == (0.01, 0.01 * 0.2, 0.01 * 0.2**2)
    # DANCE's drops keep the velocity.
    assert optimiser_starts(protocol) == ()
    assert optimiser_starts(dm_protocol(7, 64, 0.01, "none")) == (5,)


def test_a_table_of_factors():
    protocol = TrainingProtocol(
        3, learning_rate=-0.5, schedule="table", rate_factors=(1.0, 0.5, 2.0, 9.0)
    )
    assert rates(protocol) == [-0.5, -0.25, -1.0]
    assert optimiser_starts(protocol) == ()
