"""Which iterations a dry run times."""

import types

import pytest

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
