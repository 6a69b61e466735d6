"""Tests of the loss that is read from TensorBoard's event files."""

import struct

import numpy as np
import pytest

from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.files.record_files import small_records
from hdd_tf.report.page.losses import loss_curve


def write(directory, points, picture=False):
    with SummaryWriter(directory) as summaries:
        for step, loss in points:
            told = {"loss": "What is matched."}
            summaries.scalars(step, {"loss": loss, "other": -1.0}, told)
            if picture:
                noise = np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)
                summaries.image_grid(step, noise, "loss")


def test_the_last_start_counts(tmp_path):
    write(tmp_path, ((0, 4.0), (10, 3.0), (20, float("nan"))), picture=True)
    assert loss_curve(tmp_path) == [(0, 4.0), (10, 3.0)]
    (first,) = tmp_path.iterdir()
    first.rename(tmp_path / "events.out.tfevents.1.v2")
    write(tmp_path, ((10, 2.0), (20, 1.0)))
    assert loss_curve(tmp_path) == [(0, 4.0), (10, 2.0), (20, 1.0)]
    assert loss_curve(tmp_path / "nothing") == []


@pytest.mark.parametrize("length", [40, 2**62])
def test_a_file_cut_off_or_damaged_is_read_as_far_as_it_goes(tmp_path, length):
    head = struct.Struct("<QI")
    whole = head.pack(2, 0) + b"ab" + b"sums"
    long = head.pack(30, 0) + b"x" * 30 + b"sums"
    path = tmp_path / "records"
    path.write_bytes(whole + long + whole + head.pack(length, 0) + b"abc")
    assert list(small_records(path, 20)) == [b"ab", b"ab"]
    assert list(small_records(path, 64)) == [b"ab", b"x" * 30, b"ab"]
