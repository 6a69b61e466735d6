"""The files of a bank over all real images: stops, damage, small disks."""

import functools
import signal

import numpy as np
import pytest

from hdd_tf.distillation.bank import filling
from hdd_tf.distillation.bank.bank_files import BankFiles
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.files import disk_room


class Counting:
    """Stands for `WholeClasses.summaries`: numbers of classes, and a stop."""

    def __init__(self, stop_at=None):
        self.done, self._stop_at = [], stop_at

    def __call__(self, label, on_images):
        if label == self._stop_at:
            raise InterruptedRunError(signal.SIGTERM)
        self.done.append(label)
        on_images(5)
        return [np.full([2, 3], label, np.float32), np.full([2], -label, np.float32)]


KIND = {"dataset": "x", "settings": {}}


def files_in(directory, **changes):
    return BankFiles(directory, {**KIND, **changes}, [[2, 3], [2]], 3)


fill = functools.partial(filling.fill, sizes=[5, 5, 5], iterations=2, progress=False)


def test_a_stop_costs_one_class_at_most(tmp_path):
    first, second, third = Counting(stop_at=2), Counting(), Counting()
    with pytest.raises(InterruptedRunError):
        fill(files_in(tmp_path), first)
    files = files_in(tmp_path)
    assert first.done == [0, 1] and files.missing() == [2]
    # As a kill leaves it.
    leftover = files.path / ".class_00002.npz.partial-1"
    leftover.write_bytes(b"half")
    fill(files, second)
    assert second.done == [2] and not leftover.exists()
    for label in range(3):
        parts = files.read(label)
        assert (
            parts[0].tolist() == [[label] * 3] * 2 and parts[1].tolist() == [-label] * 2
        )
    # A full one is only read, wherever it lies.
    before = sorted(files.path.iterdir())
    files.path.chmod(0o500)
    fill(files_in(tmp_path), third)
    files.path.chmod(0o700)
    assert third.done == [] and sorted(files.path.iterdir()) == before


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda file: file.write_bytes(file.read_bytes()[:-40]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes((file.parent / "class_00002.npz").read_bytes()),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: file.write_bytes(
            next(file.parent.parent.glob("y_*/class_00001.npz")).read_bytes()
        ),
    ],
    ids=["flipped", "cut", "empty", "another class", "folder", "another bank"],
)
def test_a_damaged_or_foreign_file_is_told_and_kept(tmp_path, damage):
    files = files_in(tmp_path)
    fill(files, Counting())
    fill(files_in(tmp_path, dataset="y", seed=1), Counting())
    file = files.path / "class_00001.npz"
    damage(file)
    with pytest.raises(InputError, match=r"class_00001\.npz cannot be used") as caught:
        files.read(1)
    assert "\n" not in str(caught.value) and file.exists()
    files.read(0)
    # What is missing beside it is not computed first.
    files._file(2).unlink()
    counting = Counting()
    with pytest.raises(InputError, match="cannot be used"):
        fill(files, counting)
    assert counting.done == []


def test_a_disk_that_is_too_small_is_told_before_the_work(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 3 * 32 - 1})
    monkeypatch.setattr(disk_room.shutil, "disk_usage", lambda path: usage)
    counting = Counting()
    with pytest.raises(InputError, match="--bank_dir: the summaries of 3 classes"):
        fill(files_in(tmp_path / "new"), counting)
    assert counting.done == [] and not (tmp_path / "new").exists()
    usage.free += 1
    fill(files_in(tmp_path / "new"), counting)
