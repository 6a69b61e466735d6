"""A bank over all real images: its numbers, and methods that use it."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.config import Config
from hdd_tf.distillation.bank.bank_files import kind_of_bank
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Pass
from hdd_tf.distillation.real_images import RealImages
from hdd_tf.distillation.whole_classes import WholeClasses
from hdd_tf.errors import InputError
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_iterative, build_step
from hdd_tf.reading.loading import dataset_from_arrays

STRATEGY = tf.distribute.OneDeviceStrategy("CPU:0")
# No multiples of the parts of 7 images below, and one class of a single image.
SIZES, ENTRIES = (1, 20, 9), 3
BASE = Config(
    dataset="arrays", ipc=1, depth=1, width=4, loss_weight=20.0, image_lr=0.3,
    real_bank_size=ENTRIES, bank_over="all", max_images_per_forward=7, progress=False,
    real_batch=1000,
)  # fmt: skip


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), SIZES)
    images = rng.integers(0, 150, (30, 8, 8, 1)) + 50 * labels[:, None, None, None]
    order = rng.permutation(30)
    return dataset_from_arrays(images[order].astype(np.uint8), labels[order])


@pytest.fixture
def context(dataset, tmp_path):
    """A function from changes of the settings to the context of a method."""

    def build(dry_run=False, **changes):
        config = dataclasses.replace(BASE, bank_dir=str(tmp_path / "banks"), **changes)
        network = matched_network(config, dataset.image_shape, dataset.num_classes)
        return MethodContext(config, dataset, network, STRATEGY, dry_run)

    return build


def whole_of(method):
    return WholeClasses(
        method._context, method._objective, method._comparison, method._augmentations
    )


def test_an_entry_looks_as_its_iteration_does(context):
    method = build_iterative(context())
    method.assemble()
    look = whole_of(method)._look(tf.constant(2))
    drawn = method.matching.draw_augmentation(tf.constant(2))
    expected = method._objective.pass_of(tf.constant(2), 0).weights
    pairs = zip([*look.parameters, *look.weights], [*drawn, *expected], strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


def assert_near(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= 1e-6 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"geometry": "euclidean"},
        {"objective": "datadam", "datadam_batch_norm": False, "depth": 2},
    ],
    ids=["hyperbolic", "euclidean", "parts"],
)
def test_parts_give_the_numbers_of_one_batch_of_everything(context, settings):
    built = context(**settings)
    method = build_iterative(built)
    whole = whole_of(method)
    found = [whole.summaries(label) for label in range(3)]
    training = built.dataset.training
    for entry in range(ENTRIES):
        look = whole._look(tf.constant(entry))
        for label in range(3):
            rows = np.flatnonzero(training.labels == label)
            images = RealImages(
                built.store, tf.constant([label]), tf.constant(rows[None]),
                tf.ones([1, len(rows)]), dsa.gather(look.parameters, [label]), 1000,
            )  # fmt: skip
            one = method._comparison.summarize(Pass(look.weights), images)
            for part, expected in zip(found[label], tf.nest.flatten(one), strict=True):
                assert_near(part[entry], expected[0])
    # Otherwise the entries would prove no more than one.
    assert not np.allclose(found[1][0][0], found[1][0][1], atol=1e-3)


def test_networks_share_a_reading_and_change_no_bit(context, monkeypatch):
    built = context(bank_networks_at_once=1)
    whole, read = whole_of(build_iterative(built)), []
    gather = WholeClasses._read

    def note(self, rows):
        read.append(rows.tolist())
        return gather(self, rows)

    monkeypatch.setattr(WholeClasses, "_read", note)
    alone = whole.summaries(1)
    # The class in three parts, and again for each network.
    in_order = np.flatnonzero(built.dataset.training.labels == 1).tolist()
    assert len(read) == 3 * ENTRIES and [*read[0], *read[1], *read[2]] == in_order
    for at_once, readings in ((2, 6), (ENTRIES, 3)):
        read.clear()
        whole._at_once, whole._drawn = at_once, (-1, [])
        both = whole.summaries(1)
        assert len(read) == readings
        tf.nest.map_structure(np.testing.assert_array_equal, alone, both)
    # As many as fit, where none is named.
    assert whole_of(build_iterative(context()))._at_once == ENTRIES


def test_runs_share_a_bank_exactly_where_its_numbers_are_the_same(context):
    def kind(**changes):
        found = context(**changes)
        return kind_of_bank(found.config, found.dataset, found.network)

    own = kind()
    for changes in (
        *({"ipc": 4}, {"image_lr": 9.0}, {"loss_weight": 3.0}, {"init": "noise"}),
        *({"iterations": 7}, {"real_batch": 3}, {"formation_factor": 2}),
        *({"select": "last"}, {"num_eval": 9}, {"bank_networks_at_once": 1}),
        {"max_images_per_forward": 9},
    ):
        assert kind(**changes) == own, changes
    for changes in (
        *({"seed": 1}, {"geometry": "euclidean"}, {"curvature": -2.0}, {"width": 8}),
        *({"dsa": "flip"}, {"real_bank_size": 4}, {"iterations_per_network": 2}),
        *({"norm": "none"}, {"lift": "project"}, {"objective": "dance"}),
    ):
        assert kind(**changes) != own, changes
    flat = kind(geometry="euclidean")
    assert kind(geometry="euclidean", curvature=-2.0) == flat


def test_a_full_bank_is_used_and_resumed_without_looking_again(context, monkeypatch):
    method = build_step(context()).method
    assert "real_bank" not in method.state()
    assert method.phase_of(0) == method.phase_of(ENTRIES)
    (work,) = method.stages()
    assert work.seconds == 0 and "3 x 30 images" in work.count
    assert "kept in" in work.count

    def never(*_):
        raise AssertionError("the real images are looked at again")

    monkeypatch.setattr(WholeClasses, "summaries", never)
    # Another number of images shares it.
    again = build_step(context(ipc=2, init="noise")).method
    for entry in range(ENTRIES):
        pair = (m._bank.read(tf.constant(entry), tf.range(3)) for m in (method, again))
        tf.nest.map_structure(np.testing.assert_array_equal, *pair)


def test_a_dry_run_measures_and_writes_nothing(context, tmp_path):
    step = build_step(context(dry_run=True))
    (work,) = step.method.stages()
    assert work.name == "bank" and work.seconds > 0
    assert "where" in work.count and "lacks them" in work.count
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "settings",
    [{"objective": "dsa", "real_bank_size": 2}, {"objective": "datadam"}],
    ids=["gradients", "batch norm"],
)
def test_what_cannot_be_merged_is_refused(context, settings):
    with pytest.raises(InputError, match="--bank_over=all merges the summaries"):
        build_iterative(context(**settings))
