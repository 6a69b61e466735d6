import pytest

from hdd_tf.errors import InputError
from hdd_tf.reading.folders.class_folders import FolderLister
from hdd_tf.reading.folders.split_folders import find_splits


def find(root, *folders):
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return find_splits(root, FolderLister(root))


@pytest.mark.parametrize(
    "train,test",
    [
        ("train", "test"),
        ("Training", "Testing"),
        ("seg_train", "seg_test"),
        ("training_set", "test_set"),
        ("Train-Set", "Test-Set"),
        ("train", "testing"),
    ],
)
def test_splits_in_any_spelling(tmp_path, train, test):
    found = find(tmp_path, f"{train}/a", f"{train}/b", f"{test}/a", f"{test}/b")
    assert list(found.classes) == ["train", "test"]
    assert found.classes["test"]["b"] == tmp_path / test / "b"
    assert found.names == ("a", "b") and not found.notes


@pytest.mark.parametrize(
    "names", [("testing", "running"), ("trainset", "bus"), ("seg_test", "seg_pred")]
)
def test_classes_that_are_called_like_a_split(tmp_path, names):
    found = find(tmp_path, *names)
    assert list(found.classes) == ["train"] and found.names == tuple(sorted(names))


def test_the_plain_name_is_the_split_and_the_other_is_named(tmp_path):
    found = find(tmp_path, "train/a", "train/b", "test/a", "test/b", "test_set/a")
    assert found.classes["test"]["a"] == tmp_path / "test" / "a"
    (note,) = found.notes
    assert note.startswith(f"{tmp_path / 'test_set'} has folders of the same classes")


@pytest.mark.parametrize("other", ["dev", "eval", "tests", "holdout", "dev/dev"])
def test_another_split_beside_train_is_named(tmp_path, caplog, other):
    lister = FolderLister(tmp_path)
    find(tmp_path, "train/a", "train/b", f"{other}/a", f"{other}/b", "notes/x")
    found = find_splits(tmp_path, lister)
    (note,) = found.notes
    assert f"{tmp_path / other.split('/')[0]} has folders of the same classes" in note
    assert "(a, b) but is not used: only train/ are read" in note
    lister.warn_of_left_out()
    (record,) = caplog.records  # What has none of the classes is left out as ever.
    assert record.message.endswith(f"such as {tmp_path / 'notes'}.")


def test_names_that_look_the_same_are_one_class_in_every_split(tmp_path):
    composed, decomposed = "caf\xe9", "cafe\u0301"
    found = find(tmp_path, f"train/{decomposed}", "train/tea", f"test/{composed}")
    assert found.names == (decomposed, "tea")
    assert found.classes["test"][decomposed] == tmp_path / "test" / composed


@pytest.mark.parametrize(
    "folders,message",
    [
        (
            ["seg_train/seg_train/a", "seg_test/seg_test/a"],
            "folder seg_train/:",
        ),
        (["train/train/a", "test/test/a"], r"move the class folders .* up into train/"),
        (["learn/a", "learn/b", "check/a", "check/b"], r"same folders \(a, b\): if"),
        (
            ["x/x/a", "x/x/b", "y/y/a", "y/y/b", "y/y/c"],
            r"folders \(a, b, c\)",
        ),
        (["train/caf\xe9", "train/cafe\u0301"], r"look the same .*'cafe\\u0301'"),
        (["train/images/a", "train/images/b"], "train holds nothing .* images/: move"),
        (["train/a", "train/b", "test/images/a"], "test holds nothing .* images/: mov"),
        (
            ["data/im_train/a", "data/im_train/b", "data/im_test/a", "data/im_test/b"],
            r"folders im_test, im_train of .*/data all .* \(a, b\): .* call",
        ),
        (["data/all/a", "data/all/b"], r"has no folder but data/all/, .* --dataset="),
        (["data/test/a", "data/test/b"], "/data has test/ but no train"),
        (["train/a", "Testing/a", "test_set/a"], "has both Testing/ and test_set/"),
        (["test/a", "Testing/b"], "has test/ but no train/"),
    ],
)
def test_folders_that_can_be_read_in_two_ways(tmp_path, folders, message):
    with pytest.raises(InputError, match=message):
        find(tmp_path, *folders)


@pytest.mark.parametrize(
    "folders",
    [
        ["a/images", "b/images"],  # As TinyImageNet has them.
        ["a/1", "a/2", "b/1"],
        ["a/1", "a/2", "b/3", "b/4"],
        ["a/images", "a/@eaDir", "b/images", "b/@eaDir"],
    ],
)
def test_folders_within_classes(tmp_path, folders):
    assert find(tmp_path, *folders).names == ("a", "b")


@pytest.mark.parametrize("around", ["data", "data/images"])
def test_splits_in_a_folder_without_others_are_read(tmp_path, around):
    folders = [f"{around}/train/a", f"{around}/train/b", f"{around}/test/a"]
    found = find(tmp_path, *folders)
    assert found.classes["test"] == {"a": tmp_path / around / "test/a"}
    (note,) = found.notes
    assert note.startswith(f"test/, train/ of {tmp_path / around} are read: ")


def test_the_only_folder_of_images_is_looked_into_no_further(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "0.png").touch()
    assert find(tmp_path, "cat/train/a", "cat/train/b").names == ("cat",)


def test_folders_with_images_of_their_own_are_classes(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "0.png").touch()
    folders = ["cat/indoors", "cat/outdoors", "dog/indoors", "dog/outdoors"]
    assert find(tmp_path, *folders).names == ("cat", "dog")
