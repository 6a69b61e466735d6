"""The names that flags accept are those of the registries, which import TensorFlow."""

from hdd_tf.geometry.lorentz import LIFTS
from hdd_tf.geometry.registry import GEOMETRIES
from hdd_tf.methods.registry import METHODS, baseline_names
from hdd_tf.networks.plain_layers import ACTIVATIONS, NORMS, POOLINGS
from hdd_tf.networks.registry import NETWORKS
from hdd_tf.selection.coresets import SELECTIONS
from hdd_tf.settings import matching, networks


def test_flags_offer_what_the_registries_hold():
    assert set(matching.GEOMETRIES) == set(GEOMETRIES)
    assert set(networks.NETWORKS) == set(NETWORKS)
    assert set(networks.NORMS) == set(NORMS)
    assert set(networks.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(networks.POOLINGS) == set(POOLINGS)
    assert set(matching.LIFTS) == set(LIFTS)
    assert set(baseline_names()) == {*SELECTIONS, "whole"}
    assert set(SELECTIONS) == {n for n, t in METHODS.items() if t.is_selection}
