"""Which iterations a dry run times."""

import types

import pytest
import tensorflow as tf

from hdd_tf.distributed.replica_sums import sum_over_replicas
from hdd_tf.methods.registry import METHODS
from hdd_tf.running import dry_run


@pytest.mark.parametrize(
    ("kind_of", "kinds"),
    [
        (lambda i: None, [(0, 10)]),
        # A bank fills, and is full.
        (lambda i: i >= 3, [(0, 3), (3, 7)]),
        # A network of four updates trains after all but its last.
        (lambda i: i % 4 < 3, [(0, 8), (3, 2)]),
        (lambda i: (i >= 4, i % 2), [(0, 2), (1, 2), (4, 3), (5, 3)]),
    ],
)
def test_each_kind_of_iteration_is_counted(kind_of, kinds):
    method = types.SimpleNamespace(kind_of=kind_of)
    assert dry_run._kinds(method, 10) == kinds


def test_long_runs_are_not_asked_to_their_end(monkeypatch):
    monkeypatch.setattr(dry_run, "_MOST_ASKED", 4)
    method = types.SimpleNamespace(kind_of=lambda i: i % 2)
    assert dry_run._kinds(method, 10**12) == [(0, 2), (1, 10**12 - 2)]


def told_of(objective, devices, gathered):
    run = types.SimpleNamespace(
        strategy=types.SimpleNamespace(num_replicas_in_sync=devices),
        config=types.SimpleNamespace(traits=METHODS[objective]),
    )
    method = types.SimpleNamespace(gathered_bytes=gathered)
    return dry_run._sent(run, method, 8000)


def test_what_several_devices_send_is_told():
    sent = "sent an iteration   7.8 KiB by each of 2 devices"
    gathered = ", and 93.8 MiB of images are gathered where they are saved"
    assert told_of("dm", 2, 98_304_000) == [sent + gathered]
    assert told_of("dc", 2, 0) == [sent]
    assert told_of("dm", 1, 0) == []
    assert told_of("mtt", 2, 0) == []  # It sums up in loops.


def test_what_an_iteration_sends_is_counted_once():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")

    @tf.function
    def graph():
        return sum_over_replicas(strategy, tf.ones([25]))

    step = types.SimpleNamespace(
        run=lambda start, count: {"gradient_norm": graph()},
        method=types.SimpleNamespace(dry_run_share=1.0),
    )
    assert [dry_run._measured(step, start)[1] for start in (0, 1)] == [100, 0]
