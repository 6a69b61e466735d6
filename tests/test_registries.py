"""The names that flags accept are those of the registries, which import TensorFlow."""

import dataclasses

import pytest

from hdd_tf.geometry.lorentz import LIFTS
from hdd_tf.geometry.registry import GEOMETRIES
from hdd_tf.methods.registry import METHODS, baseline_names
from hdd_tf.methods.traits import Encoder, Kind, Traits
from hdd_tf.networks.plain_layers import ACTIVATIONS, NORMS, POOLINGS
from hdd_tf.networks.registry import NETWORKS
from hdd_tf.protocols.published import PROTOCOLS
from hdd_tf.selection.coresets import SELECTIONS
from hdd_tf.settings import matching, networks
from hdd_tf.settings.evaluation import EvaluationSettings
from hdd_tf.settings.row import row_of


def test_flags_offer_what_the_registries_hold():
    assert set(matching.GEOMETRIES) == set(GEOMETRIES)
    assert set(networks.NETWORKS) == set(NETWORKS)
    assert set(networks.NORMS) == set(NORMS)
    assert set(networks.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(networks.POOLINGS) == set(POOLINGS)
    assert set(matching.LIFTS) == set(LIFTS)
    assert set(baseline_names()) == {*SELECTIONS, "whole"}
    assert {METHODS[name].kind for name in SELECTIONS} == {Kind.SELECTION}


def test_titles_tell_geometries_apart():
    titles = [matching.geometry_title(name) for name in GEOMETRIES]
    assert len(set(titles)) == len(titles)
    assert matching.geometry_title("none") == ""
    assert matching.geometry_title("of another version") == " (of another version)"


def test_what_changes_results_has_no_default():
    needed = {
        field.name
        for field in dataclasses.fields(Traits)
        if field.default is field.default_factory is dataclasses.MISSING
    }
    assert needed >= {
        "kind", "has_geometry", "formation_factor", "unit_range", "update_per_class",
        "may_revisit", "settings", "evaluation", "encoder", "normalised_as", "whitened",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"image_lr": 1.0}}, "`settings` must say"),
        ({"encoder": Encoder.POOL}, "`encoder_source` goes with"),
    ],
)
def test_traits_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(METHODS["dm"], **changes)


def test_every_method_has_a_protocol_and_flags_offer_it():
    assert {traits.evaluation for traits in METHODS.values()} <= set(PROTOCOLS)
    row = next(
        f for f in dataclasses.fields(EvaluationSettings) if f.name == "eval_protocol"
    )
    assert set(row_of(row).parser.enum_values) == {"auto", *PROTOCOLS}
