import os

import numpy as np
import pytest

from hdd_tf.errors import InputError
from hdd_tf.reading.folders.class_folders import FolderLister, list_classes


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root, folder="a"):
    return [
        path.relative_to(root).as_posix()
        for path in FolderLister(root).images(root / folder)
    ]


def test_images_at_any_depth_in_the_order_of_names(tmp_path):
    make(tmp_path, "a/z.png", "a/B.JPEG", "a/10.jpg", "a/9.jpg", "a/c/y.webp")
    expected = ["a/10.jpg", "a/9.jpg", "a/B.JPEG", "a/c/y.webp", "a/z.png"]
    assert found(tmp_path) == expected


def test_what_is_left_out_is_said_but_for_litter(tmp_path, caplog):
    litter = (
        "a/.DS_Store",
        "a/Thumbs.db",
        "a/@eaDir/1.jpg",
        ".git/x",
        "__MACOSX/1.png",
    )
    make(tmp_path, "a/1.png", "a/boxes.txt", "read.me", *litter)
    lister = FolderLister(tmp_path)
    assert [path.name for path in lister.folders(tmp_path)] == ["a"]
    assert [path.name for path in lister.images(tmp_path / "a")] == ["1.png"]
    lister.warn_of_left_out()
    (record,) = caplog.records
    assert record.message.startswith(f"2 files or folders below {tmp_path}")
    assert record.message.endswith("such as " + str(tmp_path / "read.me") + ".")


def test_images_that_are_left_out_are_named_before_texts(tmp_path, caplog):
    make(tmp_path, "a/1.png", "READ.me", "loose.png")
    lister = FolderLister(tmp_path)
    lister.folders(tmp_path)
    lister.warn_of_left_out()
    assert caplog.records[0].message.endswith(f"such as {tmp_path / 'loose.png'}.")


def test_a_class_without_images(tmp_path):
    make(tmp_path, "a/notes.txt")
    with pytest.raises(InputError, match=r"class folder .*a has no images: put some"):
        found(tmp_path)


def test_links_within_the_root(tmp_path):
    root = tmp_path / "root"
    make(root, "a/1.png", "b/c/2.png")
    (root / "a" / "2.png").symlink_to(root / "b" / "c" / "2.png")
    (root / "a" / "d").symlink_to("../b", target_is_directory=True)
    (tmp_path / "link").symlink_to(root)  # The root itself may be one.
    for place in (root, tmp_path / "link"):
        assert found(place) == ["a/1.png", "a/2.png", "a/d/c/2.png"]


@pytest.mark.parametrize(
    "target,message",
    [
        ("../../outside.png", "leads out of"),
        ("../../root2", "leads out of"),  # Not within root by its name alone.
        ("nothing.png", "leads nowhere"),
        ("..", "leads back"),
        (".", "leads back"),
    ],
)
def test_links_to_elsewhere(tmp_path, target, message):
    root = tmp_path / "root"
    make(tmp_path, "outside.png", "root2/1.png", "root/a/1.png")
    (root / "a" / "x.png").symlink_to(target)
    with pytest.raises(InputError, match=f"x.png is a symbolic link that {message}"):
        found(root)


def test_links_in_a_circle(tmp_path):
    make(tmp_path, "a/1.png")
    (tmp_path / "a" / "x.png").symlink_to("x.png")
    with pytest.raises(InputError, match="leads nowhere"):
        found(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folder(tmp_path):
    (tmp_path / "a").mkdir(mode=0)
    with pytest.raises(InputError, match="cannot be read"):
        found(tmp_path)


def test_classes_in_the_order_of_their_labels(tmp_path):
    make(tmp_path, "b/1.png", "a/2.png", "a/1.png")
    folders = {name: tmp_path / name for name in ("a", "b")}
    files = list_classes(FolderLister(tmp_path), folders, ["b", "missing", "a"])
    assert files.labels.tolist() == [0, 2, 2]
    assert [path.parent.name for path in files.paths] == ["b", "a", "a"]
    part = files.take(np.array([2, 0]))
    assert [path.parent.name for path in part.paths] == ["a", "b"]
    assert part.labels.tolist() == [2, 0]
