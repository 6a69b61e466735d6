"""Numbers of files that are kept between starts."""

import json
import os

import numpy as np
import pytest

from hdd_tf.data_cache.cache import DataCache
from hdd_tf.data_cache.known_files import KnownFiles, key_of, read_known, write_known

# A key that ends in zeros is no other than one that is shorter.
KEYS = np.array([b"c" * 16, b"a" * 16, b"b" * 15], "S16")
VALUES = np.array([[3, -3], [1, 2**31 - 1], [2, 0]], np.int32)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "cache/pets/known.bin"
    write_known(path, "heads", KnownFiles(KEYS, VALUES, {"note": [1, "x"]}))
    return path


def test_what_was_written_is_found(path):
    known = read_known(path, "heads", 2, 3)
    assert known.notes == {"note": [1, "x"]}
    wanted = np.array([b"b" * 15, b"z" * 16, b"0", b"a" * 16, b"b" * 16], "S16")
    values, is_known = known.find(wanted)
    assert is_known.tolist() == [True, False, False, True, False]
    assert values.tolist() == [[2, 0], [0, 0], [0, 0], [1, 2**31 - 1], [0, 0]]


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def resize(path):
    line, data = path.read_bytes().split(b"\n", 1)
    content = json.loads(line) | {"files": 2}
    path.write_bytes(json.dumps(content).encode() + b"\n" + data)


def as_list(path):
    path.write_bytes(b"[1]\n")


def link(path):
    path.rename(path.with_name("other"))
    path.symlink_to(path.with_name("other"))


def pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [cut, flip, resize, as_list, link, pipe, os.unlink])
def test_what_is_damaged_knows_nothing(path, damage):
    damage(path)
    _, is_known = read_known(path, "heads", 2, 3).find(KEYS)
    assert not is_known.any()


@pytest.mark.parametrize("other", [("tails", 2, 3), ("heads", 1, 3), ("heads", 2, 2)])
def test_of_something_else_nothing_is_known(path, other):
    assert len(read_known(path, "heads", 2, 3).keys) == 3
    known = read_known(path, *other)
    assert not known.find(KEYS)[1].any() and known.values.shape[1] == other[1]


def test_a_key_is_of_name_size_and_time(tmp_path):
    file = tmp_path / "x.png"

    def key(name="x.png", content=b"ab", at=5):
        file.write_bytes(content)
        os.utime(file, ns=(1, at))
        return key_of(name, os.stat(file))

    assert key() == key() and len(key()) == 16
    assert len({key(), key(name="y.png"), key(content=b"abc"), key(at=6)}) == 4


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file/known.bin"
    write_known(path, "heads", KnownFiles(KEYS, VALUES, {}))
    assert not read_known(path, "heads", 2, 3).find(KEYS)[1].any()


def test_a_link_in_a_strangers_directory_leads_nowhere(tmp_path):
    cache = DataCache(tmp_path / "cache")
    place = cache.place_of_record("folder:pets", "heads")
    assert place.parent == tmp_path / "cache/folder_pets"
    assert place != cache.place_of_record("folder:pets", "others")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/folder_pets").symlink_to(tmp_path / "elsewhere")
    assert cache.place_of_record("folder:pets", "heads") is None
    assert DataCache(None).place_of_record("folder:pets", "heads") is None
