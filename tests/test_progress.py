"""Tests of progress bars in terminals and in files."""

import io
import sys

import pytest

from hdd_tf import progress
from hdd_tf.progress import epoch_bar, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown_on(stream, monkeypatch, updates=200):
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar("distil", updates, "it", True) as bar:
        for _ in range(updates):
            bar.update(1)
            bar.set_postfix(loss="1", refresh=False)
    return stream.getvalue()


def test_a_terminal_has_one_line_that_changes(monkeypatch):
    text = shown_on(Terminal(), monkeypatch)
    assert "\r" in text and text.count("\n") == 1 and "200/200" in text


def test_a_file_has_a_line_now_and_then(monkeypatch):
    # What takes less than the time between lines needs none.
    assert shown_on(io.StringIO(), monkeypatch) == ""
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    lines = shown_on(io.StringIO(), monkeypatch, updates=3).splitlines()
    assert all(line.startswith("distil: ") for line in lines) and "3/3" in lines[-1]
    assert not any("\r" in line for line in lines)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.05)
    assert len(shown_on(io.StringIO(), monkeypatch, 50_000).splitlines()) < 50


@pytest.mark.parametrize("shown", [True, False])
def test_no_output_at_all(shown, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with epoch_bar("encoder", 2, shown) as bar:
        bar.update(2)
