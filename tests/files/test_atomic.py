import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.saved_models import is_replaceable as is_saved_model_replaceable
from hdd_tf.exporting.hub import is_replaceable as is_hub_replaceable
from hdd_tf.exporting.sets import check_output
from hdd_tf.files import atomic, kept_directory
from hdd_tf.files.json_text import json_text_of_numbers, to_plain
from hdd_tf.files.kept_directory import stays
from hdd_tf.files.unfinished import is_leftover, remove_leftovers


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def fill(directory, text):
    with atomic.new_directory(directory) as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "file").write_text(text)


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    atomic.write_text(path, "één")
    atomic.write_text(path, "two")
    atomic.write_bytes(str(path), path.read_bytes() + b"\x00")
    assert path.read_bytes() == b"two\x00"
    assert names(path.parent) == ["a.txt"]


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path):
    for name in ("é" * 127, "a" * 255):
        atomic.write_text(tmp_path / name, "one")
        fill(tmp_path / f"{name[:-1]}b", "two")
        fill(tmp_path / f"{name[:-1]}b", "three")
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_replaces_none(tmp_path, monkeypatch, links):
    if not links:  # As on FAT.

        def hardlink_to(self, target):
            raise PermissionError("no links")

        monkeypatch.setattr(pathlib.Path, "hardlink_to", hardlink_to)
    path = tmp_path / "new" / "a.txt"
    atomic.write_new_text(path, "één")
    with pytest.raises(FileExistsError):
        atomic.write_new_text(path, "two")
    assert path.read_text("utf-8") == "één" and names(path.parent) == ["a.txt"]


def test_lists_of_numbers_are_one_line():
    value = {"a": [1, -2.5e-7, None], "b": ["[ 1,", "2 ]"], "c": [[1], []], "d": [True]}
    text = json_text_of_numbers(value)
    assert json.loads(text) == value
    assert '"a": [ 1, -2.5e-07, null ]' in text and '"b": [\n' in text


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_final_name_appears_only_when_the_file_is_whole(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(names(tmp_path)))
    atomic.write_text(tmp_path / "a.txt", "text")
    before, after = seen
    assert len(before) == 1
    assert is_leftover(before[0])
    assert after == ["a.txt"]


def test_files_and_directories_have_usual_rights(tmp_path):
    atomic.write_text(tmp_path / "file", "x")
    fill(tmp_path / "directory", "x")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain_file").write_text("x")

    def mode(name):
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    assert mode("file") == mode("plain_file")
    assert mode("directory") == mode("plain")


@pytest.mark.parametrize("one_step", [True, False])
def test_a_directory_is_written_and_replaced(tmp_path, monkeypatch, one_step):
    if not one_step:
        monkeypatch.setattr(atomic, "_exchange", lambda first, second: False)
    target = tmp_path / "set"
    fill(target, "old")
    (target / "only in the old one").write_text("x")
    fill(target, "new")
    assert names(target) == ["inner"]
    assert (target / "inner" / "file").read_text() == "new"
    assert names(tmp_path) == ["set"]


def test_a_directory_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    flushed = {}

    def note(descriptor):
        path = pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        flushed[path.name] = (tmp_path / "set").exists()

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("needs /proc to see what is flushed")
    monkeypatch.setattr(os, "fsync", note)
    fill(tmp_path / "set", "new")
    assert flushed["file"] is False
    assert flushed["inner"] is False
    assert flushed[tmp_path.name] is True


def test_linux_swaps_directories_in_one_step(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("x")
    if not atomic._exchange(tmp_path / "first", tmp_path / "second"):
        pytest.skip("this system or file system cannot swap names")
    assert names(tmp_path / "first") == ["second"]
    assert names(tmp_path / "second") == ["first"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_raises_changes_nothing(tmp_path, error):
    fill(tmp_path / "set", "old")
    for name in ("set", "other"):
        with pytest.raises(error), atomic.new_directory(tmp_path / name) as partial:
            (partial / "file").write_text("half")
            raise error
    assert names(tmp_path) == ["set"]
    assert (tmp_path / "set" / "inner" / "file").read_text() == "old"


def test_a_failed_second_step_puts_the_old_directory_back(tmp_path, monkeypatch):
    fill(tmp_path / "set", "old")
    rename = pathlib.Path.rename

    def failing(self, target):
        if is_leftover(self.name) and (self / "inner" / "file").read_text() == ("new"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(atomic, "_exchange", lambda first, second: False)
    monkeypatch.setattr(pathlib.Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output"):
        fill(tmp_path / "set", "new")
    assert names(tmp_path) == ["set"]
    assert (tmp_path / "set" / "inner" / "file").read_text() == "old"


@pytest.mark.parametrize("why", ["mounted", "another user's", "worked in"])
def test_a_directory_that_must_stay_gets_the_files(tmp_path, monkeypatch, why):
    target = tmp_path / "set"
    target.mkdir()
    before = target.stat().st_ino
    if why == "mounted":
        monkeypatch.setattr(os.path, "ismount", lambda path: path == target)
    elif why == "another user's":
        monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    else:
        (target / "below").mkdir()
        monkeypatch.chdir(target / "below")
    for text in ("first", "second"):
        fill(target, text)
        assert names(target) == ["inner"] and names(tmp_path) == ["set"]
        assert (target / "inner" / "file").read_text() == text
        (target / "only in the old one").write_text("x")
        if why == "worked in":
            break  # The folder that was worked in is gone.
    assert target.stat().st_ino == before


def test_what_a_kill_left_in_a_kept_directory_bars_nothing(tmp_path, monkeypatch):
    target = tmp_path / "set"
    (target / ".set.partial-0123456789ab").mkdir(parents=True)
    (target / ".set.partial-0123456789ab" / "file").write_text("half")
    check_output(target, "npz")
    assert is_saved_model_replaceable(target) and is_hub_replaceable(target)
    monkeypatch.chdir(target)
    fill(target, "new")
    assert names(target) == ["inner"]


def test_what_cannot_be_replaced_is_told_from_what_can(tmp_path, monkeypatch):
    target = tmp_path / "a set"
    target.mkdir()
    assert not stays(target) and not stays(tmp_path / "missing")
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(kept_directory, "_MOUNTS", mounts)
    name = os.fsencode(target).replace(b" ", b"\\040")
    mounts.write_bytes(b"36 35 98:0 /x " + name + b" rw - ext3 /dev/root rw\n")
    assert stays(target)
    mounts.unlink()
    assert not stays(target)
    # As in /tmp, where another user's directory cannot be renamed.
    tmp_path.chmod(0o1777)
    assert not stays(target)
    monkeypatch.setattr(os, "geteuid", lambda: target.stat().st_uid + 1)
    assert stays(target)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may become another user")
def test_a_parent_that_may_not_even_be_listed(request):
    # Not below a directory of pytest, which others may not enter.
    parent = pathlib.Path(tempfile.mkdtemp())
    request.addfinalizer(lambda: shutil.rmtree(parent))
    (parent / "set").mkdir()
    os.chown(parent / "set", 65534, 65534)
    parent.chmod(0o711)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); "
        "from hdd_tf.files import atomic; os.setuid(65534)\n"
        "with atomic.new_directory(sys.argv[1]) as partial:\n"
        "    (partial / 'file').write_text('new')\n"
    )
    root = str(pathlib.Path(atomic.__file__).parents[2])
    command = [sys.executable, "-c", code, str(parent / "set"), root]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert names(parent / "set") == ["file"] and names(parent) == ["set"]


def test_files_that_cannot_be_moved_up_change_nothing(tmp_path, monkeypatch):
    fill(tmp_path / "set", "old")
    (tmp_path / "set" / "more").write_text("old")
    monkeypatch.chdir(tmp_path / "set")
    rename = pathlib.Path.rename

    def failing(self, target):
        if (
            target == tmp_path / "set" / "inner"
            and "new" in (self / "file").read_text()
        ):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(pathlib.Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output"):
        fill(tmp_path / "set", "new")
    assert names(tmp_path / "set") == ["inner", "more"]
    assert (tmp_path / "set" / "inner" / "file").read_text() == "old"


def test_a_directory_never_replaces_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotADirectoryError):
        fill(tmp_path / "file", "new")
    with pytest.raises(NotADirectoryError, match="Not a directory"):
        fill(tmp_path / "file" / "below", "new")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_symbolic_link_keeps_pointing_at_what_is_replaced(tmp_path):
    fill(tmp_path / "disk" / "set", "old")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "set")
    fill(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "set" / "inner" / "file").read_text() == "new"


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "sub" / ".set.partial-0123456789ab").mkdir(parents=True)
    (tmp_path / "sub" / ".set.partial-0123456789ab" / "file").write_text("half")
    (tmp_path / ".result.json.partial-ba9876543210").write_text("half")
    (tmp_path / ".hidden").write_text("kept")
    (tmp_path / "a.partial-b").write_text("kept")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".hidden", "a.partial-b", "sub"]
    assert names(tmp_path / "sub") == []


def test_json_holds_plain_values(tmp_path):
    value = {
        "numpy": np.float32(0.5),
        "array": np.arange(4).reshape(2, 2),
        "tensor": tf.constant([1.5, float("nan")]),
        "tuple": (1, True, None, "ü"),
        "path": tmp_path,
        "infinite": float("inf"),
        7: 1 / 3,
    }
    atomic.write_json(tmp_path / "a.json", value)
    read = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert read == {
        "numpy": 0.5,
        "array": [[0, 1], [2, 3]],
        "tensor": [1.5, None],
        "tuple": [1, True, None, "ü"],
        "path": str(tmp_path),
        "infinite": None,
        "7": 1 / 3,
    }
    # What is read compares equal with what was meant.
    assert read == to_plain(value)
