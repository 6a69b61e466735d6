"""Tests of what a dry run tells of a run beside its iterations."""

import dataclasses
import types

import numpy as np
import pytest

from hdd_tf.config import Config
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import WHOLE
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.running import dry_run
from hdd_tf.running.costs import further_memory, network_times, works
from hdd_tf.running.costs.further_memory import check_further_memory
from hdd_tf.running.costs.works import Costs

SMALL = Config(
    dataset="arrays", ipc=2, width=4, depth=1, num_eval=3, eval_epochs=10,
    encoder_epochs=5, analysis_images=7, whole_epochs=4, coreset_epochs=6,
    iterations=20,
)  # fmt: skip
# Seconds for an image of training and of testing; 40 images in 2 classes, 8 to test on.
TRAIN, TEST, IMAGES, HELD_OUT = 1.0, 0.5, 40, 8


@pytest.fixture(scope="module")
def whole_run():
    labels = np.arange(48) % 2
    images = np.random.default_rng(0).integers(0, 256, (48, 8, 8, 1)).astype(np.uint8)
    dataset = dataset_from_arrays(images[:40], labels[:40], images[40:], labels[40:])
    return RunContext.build(SMALL, dataset)


@pytest.fixture
def seconds_of(whole_run, tmp_path, monkeypatch):
    """Returns the seconds of each work, where a step takes what is said above."""
    monkeypatch.setattr(network_times, "_measure", lambda *_: (TRAIN, TEST))

    def seconds(**settings):
        config = dataclasses.replace(SMALL, expert_dir=str(tmp_path), **settings)
        found = Costs(dataclasses.replace(whole_run, config=config))
        works = [*found.before(), *found.scores(), *found.analysis()]
        return {work.name: work.seconds for work in works}

    return seconds


def test_every_training_and_test_is_counted(seconds_of):
    set_score = 3 * (4 * 10 * TRAIN + HELD_OUT * TEST)
    assert seconds_of() == {
        "analysis": 5 * IMAGES * TRAIN,
        "evaluation": set_score,
        "projector": 7 * TEST,
    }
    assert seconds_of(analysis=False, num_eval=0) == {}
    assert seconds_of(
        analysis=False,
        baselines=(WHOLE, "herding"),
        eval_networks=("convnet", "alexnet"),
    ) == {
        "coreset network": 6 * IMAGES * TRAIN,
        "evaluation": set_score,
        WHOLE: 3 * (IMAGES * 4 * TRAIN + HELD_OUT * TEST),
        "herding": set_score,
        "with alexnet": set_score,
    }
    found = seconds_of(analysis=False, objective="herding", formation_factor=None)
    assert found["coreset network"] == 6 * IMAGES * TRAIN
    # Four images of each stored one.
    found = seconds_of(objective="dance", num_experts=2, pretrain_epochs=3,
                       analysis=False, formation_factor=None)  # fmt: skip
    assert found == {
        "experts": 2 * 3 * IMAGES * TRAIN,
        "evaluation": 3 * (4 * 4 * 10 * TRAIN + HELD_OUT * TEST),
    }
    # A method's own networks, of the matched architecture or of another one.
    own = dict(analysis=False, num_eval=0, formation_factor=None)
    found = seconds_of(objective="dsdm", dsdm_networks=2, dsdm_epochs=3, **own)
    assert found == {"networks": 2 * 3 * IMAGES * TRAIN}
    other = {"iid_network": "mlp", "iid_networks": 4, "iid_epochs": 5}
    found = seconds_of(objective="iid", **other, **own)
    assert found == {"networks": 4 * 5 * IMAGES * TRAIN}
    assert seconds_of(objective="iid", iid_centre_weight=0, **other, **own) == {}
    # Its observer, and its set with other labels too.
    found = seconds_of(
        objective="rded", rded_epochs=3, analysis=False, baselines=("random",)
    )
    taught = set_score + 3 * 4 * 10 * TEST
    assert found == {
        "observer": 3 * IMAGES * TRAIN,
        "evaluation": taught,
        "random": taught,
        "hard_labels": set_score,
    }
    pruned = seconds_of(keep_fraction=0.5, keep_epochs=2, analysis=False)
    assert pruned["pruning"] == 2 * IMAGES * TRAIN


def test_scores_in_between_and_fair_scores_are_counted(seconds_of):
    found = seconds_of(
        analysis=False, eval_every=5, validation_fraction=0.1, best_on_test=True
    )
    assert found["scores in between"] == 2 * 4 * found["evaluation"]
    fair = seconds_of(analysis=False, fair_score=True)["fair score"]
    # The whole set once at least, and small sets more often.
    assert fair > 3 * IMAGES * 4 * TRAIN


def test_what_is_kept_costs_nothing(seconds_of, whole_run, tmp_path):
    config = dataclasses.replace(SMALL, expert_dir=str(tmp_path))
    run = dataclasses.replace(whole_run, config=config)
    buffer = works.buffer_of_training(run, 5)
    buffer.path.mkdir(parents=True)
    (buffer.path / "expert_000.npz").write_bytes(b"")
    assert seconds_of()["analysis"] == 0
    (work, *_) = Costs(run).before()
    assert f"found in {buffer.path}" in work.count


def test_what_memory_does_not_hold_is_refused(whole_run, monkeypatch):
    half = whole_run.dataset.training.images.nbytes // 2
    config = dataclasses.replace(SMALL, keep_fraction=0.5)
    pruned_run = dataclasses.replace(whole_run, config=config)
    monkeypatch.setattr(further_memory, "available_memory", lambda: half)
    check_further_memory(pruned_run)
    monkeypatch.setattr(further_memory, "available_memory", lambda: half - 1)
    with pytest.raises(InputError, match=f"=0.5 beside all: {half:,} bytes more"):
        check_further_memory(pruned_run)
    check_further_memory(whole_run)  # Whatever trains on all images shares them.


def test_iterations_that_take_minutes_are_timed_in_part(monkeypatch):
    class Norm:
        def numpy(self):
            return 0.0

    step = types.SimpleNamespace(
        method=types.SimpleNamespace(dry_run_share=0.25),
        run=lambda start, count: {"gradient_norm": Norm()},
    )
    clock = iter([10.0, 16.0])
    monkeypatch.setattr(dry_run.time, "perf_counter", lambda: next(clock))
    # Two iterations in six seconds, each a quarter of one.
    assert dry_run._measured(step, 0) == (12.0, 0)
