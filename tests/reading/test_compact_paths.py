import os
import pathlib
import tracemalloc

import pytest

from hdd_tf.reading.folders.compact_paths import Paths


def test_they_are_the_paths_that_were_given():
    names = ["/a/b/1.png", "/a/c/2.png", "/3.png", "4.png", "/a/b/ü.png", "/a/b/5"]
    expected = [pathlib.Path(name) for name in names]
    paths = Paths(names)
    assert len(paths) == 6 and list(paths) == expected
    assert [paths[row] for row in range(-6, 6)] == expected * 2
    assert list(paths[4:0:-2]) == expected[4:0:-2]
    assert list(paths.take([5, 0, 0])) == [expected[5], expected[0], expected[0]]
    assert pathlib.Path("/3.png") in paths and pathlib.Path("/a/b/2.png") not in paths
    for row in (6, -7):
        with pytest.raises(IndexError):
            paths[row]
    assert list(Paths()) == []


def test_further_ones_come_at_the_end():
    paths = Paths(["/a/1", "/b/1"])
    copy = paths.take([1])
    paths.append(pathlib.Path("/a/2"))
    paths.extend(copy)
    paths.extend(["/c/1"])
    assert [str(path) for path in paths] == ["/a/1", "/b/1", "/a/2", "/b/1", "/c/1"]
    assert [str(path) for path in copy] == ["/b/1"]


def test_names_that_are_no_text():
    name = os.fsdecode(b"/a/\xff.png")
    assert os.fsencode(Paths([name])[0]) == b"/a/\xff.png"


def test_they_are_small_however_many():
    folders = [f"/a/long/name/of/a/place/n{label:08}" for label in range(20)]
    names = [f"{folder}/{row:08}.JPEG" for folder in folders for row in range(1000)]
    tracemalloc.start()
    paths = Paths(names)
    held, _ = tracemalloc.get_traced_memory()
    chosen = paths.take(range(0, len(names), 2))
    both, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The name, 12 bytes, and what arrays that grow have in reserve.
    assert held < len(names) * (13 + 12 + 7)
    assert both - held < len(chosen) * (13 + 12 + 7)
