"""The loop's bookkeeping, with a step that only counts."""

import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distillation import loop
from hdd_tf.distillation.class_blocks import default_max_images, plan_class_blocks
from hdd_tf.distillation.loop import run_iterations, stop_on_signals
from hdd_tf.errors import InputError


class CountingStep:
    def __init__(self, bad_iteration=None, bad_class=0):
        self.calls = []
        self._bad = bad_iteration, bad_class

    def run(self, start, count):
        self.calls.append((start, count))
        loss = np.ones((count, 3), np.float32)
        iteration, label = self._bad
        if iteration is not None and start <= iteration < start + count:
            loss[iteration - start, label] = np.nan
        return {
            "loss_per_class": tf.constant(loss),
            "gradient_norm": tf.ones([count]),
        }


def test_blocks_cover_every_iteration_once_and_end_at_the_cadences():
    step, reports = CountingStep(), []
    run_iterations(step, 3, 25, 10, reports.append, cadences=(7, 0))
    # The first call is one iteration, to learn how long they take.
    assert step.calls == [(3, 1), (4, 3), (7, 7), (14, 7), (21, 4)]
    assert [report.iteration for report in reports] == [4, 7, 14, 21, 25]


def test_calls_are_short_where_iterations_are_slow(monkeypatch):
    clock = iter(range(0, 1000, 2))  # Every call takes two seconds.
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(clock))
    step = CountingStep()
    run_iterations(step, 0, 12, 100, lambda report: None)
    # 2 s for 1, so 2 in 5 s; 2 s for 2, so 5; then what is left.
    assert [count for _, count in step.calls] == [1, 2, 5, 4]


def test_loss_that_is_not_finite_stops_and_names_class_and_iteration():
    step, reports = CountingStep(bad_iteration=12, bad_class=2), []
    with pytest.raises(InputError, match="class 2 is nan at iteration 13"):
        run_iterations(step, 0, 20, 5, reports.append)
    assert reports[-1].iteration == 11


def test_first_signal_is_noted_and_the_second_acts():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with stop_on_signals() as stop:
            assert stop.signal is None
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.signal is signal.SIGTERM and not heard
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("classes", [1, 7, 10, 100])
@pytest.mark.parametrize("replicas", [1, 2, 3])
@pytest.mark.parametrize("max_images", [1, 300, 2600, 10**6])
def test_every_class_is_planned_exactly_once(classes, replicas, max_images):
    blocks = plan_class_blocks(classes, replicas, 256, 10, max_images)
    taken = blocks.classes[blocks.valid == 1]
    assert sorted(taken) == list(range(classes))
    for replica in range(replicas):
        mine = blocks.classes[replica][blocks.valid[replica] == 1]
        assert all(mine % replicas == replica)
    # A forward pass never exceeds the bound.
    assert blocks.real_chunk <= max_images
    if max_images >= 256:
        assert blocks.classes.shape[2] * 256 <= max_images


def test_default_bound_shrinks_with_the_images():
    small = default_max_images((32, 32, 3), 128)
    assert default_max_images((128, 128, 3), 128) * 16 == small
    assert default_max_images((4096, 4096, 3), 1024) == 1
