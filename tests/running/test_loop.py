"""The loop's bookkeeping, with a step that only counts."""

import os
import pathlib
import signal
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distributed.class_blocks import default_max_images, plan_class_blocks
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.running import loop
from hdd_tf.running.divergence import check_finite
from hdd_tf.running.loop import run_iterations, stop_on_signals

ROOT = pathlib.Path(__file__).parents[2]


class CountingStep:
    method = types.SimpleNamespace(remedy=lambda: "Give a lower --image_lr.")

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
            "finite_images": tf.fill([3], True),
        }


def test_blocks_cover_every_iteration_once_and_end_at_the_cadences():
    step, reports = CountingStep(), []
    run_iterations(step, 3, 25, 10, reports.append, cadences=(7, 0))
    # The first call is one iteration, to learn how long they take.
    assert step.calls == [(3, 1), (4, 3), (7, 7), (14, 7), (21, 4)]
    assert [report.iteration for report in reports] == [4, 7, 14, 21, 25]


def test_what_is_done_is_kept_where_a_file_cannot_be_read():
    class Refusing(CountingStep):
        def run(self, start, count):
            if start >= 4:
                raise InputError("a file cannot be read")
            return super().run(start, count)

    kept, step = [], Refusing()
    with pytest.raises(InputError, match="a file cannot"):
        run_iterations(step, 0, 9, 3, lambda report: None, before_refusal=kept.append)
    assert step.calls == [(0, 1), (1, 3)] and kept == [4]
    # Images that have diverged are not kept.
    step, kept = CountingStep(bad_iteration=2), []
    with pytest.raises(InputError, match="diverged"):
        run_iterations(step, 0, 9, 3, lambda report: None, before_refusal=kept.append)
    assert not kept


def test_calls_are_short_where_iterations_are_slow(monkeypatch):
    clock = iter(range(0, 1000, 2))  # Every call takes two seconds.
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(clock))
    step = CountingStep()
    run_iterations(step, 0, 12, 100, lambda report: None)
    # 2 s for 1, so 2 in 5 s; 2 s for 2, so 5; then what is left.
    assert [count for _, count in step.calls] == [1, 2, 5, 4]


def test_loss_that_is_not_finite_stops_and_names_class_and_iteration():
    step, reports = CountingStep(bad_iteration=12, bad_class=2), []
    with pytest.raises(InputError, match=r"class 2 \(c\) is nan in iteration 13"):
        run_iterations(step, 0, 20, 5, reports.append, label_names="abc")
    assert reports[-1].iteration == 11


NAN, INF = np.nan, np.inf
GOOD = {"loss": [[1, 1], [1, 1]], "norm": [1, 1], "finite": [True, True]}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"loss": [[1, 1], [INF, NAN]]}, "the loss of classes 0 (cat), 1 (dog) is inf"),
        # The gradient goes wrong first: the loss is only what follows from it.
        ({"norm": [INF, NAN], "loss": [[1, 1], [1, NAN]], "finite": [True, False]},
         "the gradient of class 1 (dog) has the norm inf in iteration 8:"),
        ({"finite": [False, True]},
         "the images of class 0 (cat) are not finite after iteration 9:"),
    ],
)  # fmt: skip
def test_divergence_is_told_by_what_went_wrong_first(change, said):
    values = {**GOOD, **change}
    metrics = {
        "loss_per_class": np.array(values["loss"], np.float32),
        "gradient_norm": np.array(values["norm"], np.float32),
        "finite_images": np.array(values["finite"]),
    }
    with pytest.raises(InputError) as caught:
        check_finite(metrics, 7, ("cat", "dog"))
    assert str(caught.value).startswith(said)
    assert "--image_lr" in str(caught.value) and "\n" not in str(caught.value)


def test_many_classes_are_not_all_named():
    metrics = {
        "loss_per_class": np.full((1, 100), NAN),
        "gradient_norm": np.ones(1),
        "finite_images": np.full(100, True),
    }
    with pytest.raises(InputError, match="classes 0, 1, 2 and 97 more is nan"):
        check_finite(metrics, 0)


SIGNALLED = """
import os, signal
from hdd_tf.running.loop import stop_on_signals
with stop_on_signals() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.signal is signal.SIGTERM
    print("noted", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("still here", flush=True)
"""


@pytest.mark.slow
def test_first_signal_is_noted_and_the_second_kills():
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "noted\n" and done.returncode == -signal.SIGINT


def test_signal_ends_a_long_block_at_once_and_others_are_asked():
    before = signal.getsignal(signal.SIGTERM)
    reached = []
    with stop_on_signals() as stop:
        with pytest.raises(InterruptedRunError), stop.at_once():
            os.kill(os.getpid(), signal.SIGTERM)
            reached.append("the rest")
        # Nothing that is long begins after it.
        with pytest.raises(InterruptedRunError), stop.at_once():
            reached.append("the next")
        with pytest.raises(InterruptedRunError):
            stop.check()
    assert not reached
    assert signal.getsignal(signal.SIGTERM) is before


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


def test_default_bound_shrinks_with_a_small_memory():
    # Three outputs of 128 channels, and four times 27 neighbours and a 1.
    of_image = 32 * 32 * (3 * 128 + 4 * 28) * 4
    usual = default_max_images((32, 32, 3), 128)
    for gibibytes in (64, 5.5):
        memory = int(gibibytes * 2**30)
        assert default_max_images((32, 32, 3), 128, memory) == usual
        assert default_max_images((32, 32, 3), 8, memory) == usual * 16
    for gibibytes in (4.5, 1):
        most = default_max_images((32, 32, 3), 128, int(gibibytes * 2**30))
        assert most == int((gibibytes - 0.5) * 2**30) // of_image < usual
    # Synthetic images are there six times, with all that an update makes of them.
    gibibyte_and_set = 2**30 + 6 * 500 * 32 * 32 * 3 * 4
    most = default_max_images((32, 32, 3), 128, gibibyte_and_set, 500)
    assert most == 2**29 // of_image
    # The neighbours of a narrow network are more than its outputs.
    assert default_max_images((32, 32, 3), 8, 2**30) == 2**29 // (32 * 32 * 136 * 4)
    # What is too small for the program has a few images at a time.
    assert default_max_images((32, 32, 3), 128, 2**20) == 2**26 // of_image
