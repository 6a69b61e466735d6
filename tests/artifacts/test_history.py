"""Tests of a run's scores on the validation split, as a file."""

import signal

import numpy as np
import pytest

from hdd_tf.artifacts.history import (
    ValidationScore,
    read_validation,
    record_validation,
)
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InterruptedRunError
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.running.loop import StopRequest
from hdd_tf.running.monitor import RunMonitor

SCORES = [ValidationScore(n, n / 4, 50 + n / 100) for n in (100, 200, 300)]


def test_scores_are_kept_in_order(tmp_path):
    assert read_validation(tmp_path) == ()
    for score in SCORES:
        record_validation(tmp_path, score)
    assert read_validation(tmp_path) == tuple(SCORES)
    assert [path.name for path in tmp_path.iterdir()] == ["validation.json"]


def test_a_resumed_run_replaces_what_it_does_again(tmp_path):
    for score in SCORES:
        record_validation(tmp_path, score)
    again = ValidationScore(200, 99.0, 60.0)
    record_validation(tmp_path, again)
    assert read_validation(tmp_path) == (SCORES[0], again)


@pytest.mark.parametrize(
    "text", ["", "[", "3", '[{"iteration": 1}]', "[[1, 2, 3]]", "[3]", "\0"]
)
def test_a_damaged_file_has_no_scores_and_is_replaced(text, tmp_path):
    (tmp_path / "validation.json").write_text(text)
    assert read_validation(tmp_path) == ()
    record_validation(tmp_path, SCORES[0])
    assert read_validation(tmp_path) == (SCORES[0],)


def test_a_score_that_is_no_number_is_damage(tmp_path):
    record_validation(tmp_path, ValidationScore(1, 1.0, float("nan")))
    assert read_validation(tmp_path) == ()


# Of different values, for a constant channel cannot be normalised.
IMAGES = np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1)


def monitor_of(directory, stop, evaluate=lambda made: 61.5):
    return RunMonitor(
        run=RunContext.build(
            Config(dataset="x", eval_every=5, validation_fraction=0.1),
            dataset_from_arrays(IMAGES, np.arange(2)),
            directory=RunDirectory(directory),
        ),
        checkpoints=None,
        synthetic_set=None,
        make_set=lambda: None,
        start=0,
        seconds=12.5,
        stop=stop,
        evaluate=evaluate,
        analyse=lambda iteration, summaries: None,
        trackers=(),
    )


def test_a_run_records_each_score_with_the_seconds_spent(tmp_path):
    monitor = monitor_of(tmp_path, StopRequest())
    with monitor.summaries:
        monitor.catch_up(4)
        monitor.catch_up(5)
    assert read_validation(tmp_path) == (ValidationScore(5, 12.5, 61.5),)


def test_a_signal_during_a_score_ends_the_run_without_it(tmp_path):
    stop = StopRequest()

    def evaluate(made):
        stop.note(signal.SIGTERM)
        raise AssertionError("the score went on")

    monitor = monitor_of(tmp_path, stop, evaluate)
    with monitor.summaries, pytest.raises(InterruptedRunError):
        monitor.catch_up(5)
    assert read_validation(tmp_path) == ()
