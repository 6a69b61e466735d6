"""The names that flags accept are those of the registries, which import TensorFlow."""

from hdd_tf import config
from hdd_tf.evaluate.coresets.selection import SELECTIONS
from hdd_tf.geometry.lorentz import LIFTS
from hdd_tf.geometry.registry import GEOMETRIES
from hdd_tf.networks.plain_layers import ACTIVATIONS, NORMS, POOLINGS
from hdd_tf.networks.registry import NETWORKS
from hdd_tf.objectives.registry import OBJECTIVES
from hdd_tf.setting_parsers import CORESETS


def test_flags_offer_what_the_registries_hold():
    assert set(config.OBJECTIVES) == set(OBJECTIVES)
    assert set(config.GEOMETRIES) == set(GEOMETRIES)
    assert set(config.NETWORKS) == set(NETWORKS)
    assert set(config.NORMS) == set(NORMS)
    assert set(config.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(config.POOLINGS) == set(POOLINGS)
    assert set(config.LIFTS) == set(LIFTS)
    assert set(CORESETS) == set(SELECTIONS)
