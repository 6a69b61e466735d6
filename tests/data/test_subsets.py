import numpy as np
import pytest

from hdd_tf.data.subsets import (
    check_splits,
    kept_names,
    kept_rows,
    renumber,
    resolve_classes,
)
from hdd_tf.errors import InputError

NAMES = ("cat", "dog", "7", "cow")


@pytest.mark.parametrize(
    "wanted,kept",
    [
        (("0", "2"), [0, 2]),
        (("3", "1", "0"), [0, 1, 3]),
        (("2", "cow", "cat"), [0, 2, 3]),
        (("0", "7"), [0, 2]),  # No index, so a name.
        (("index:1", "name:7"), [1, 2]),
    ],
)
def test_indices_and_names(wanted, kept):
    resolved = resolve_classes(wanted, NAMES)
    assert resolved.tolist() == kept
    labels = np.array([3, 0, 1, 2, 2, 0])
    rows = kept_rows(labels, resolved)
    assert labels[rows].tolist() == [x for x in labels if x in kept]
    # Renumbered labels and kept names belong together as they did.
    names = kept_names(NAMES, resolved)
    found = [names[label] for label in renumber(labels[rows], resolved)]
    assert found == [NAMES[label] for label in labels[rows]]


def test_none_given_keeps_all():
    assert resolve_classes((), NAMES) is None
    labels = np.array([1, 0, 3])
    assert kept_rows(labels, None).tolist() == [0, 1, 2]
    assert renumber(labels, None) is labels
    assert kept_names(NAMES, None) == NAMES


@pytest.mark.parametrize(
    "wanted,message",
    [
        (("0", "4"), r"no class 4; the data set has 0 \(cat\), .*, 3 \(cow\)\.$"),
        (("0", "Dog"), "no class Dog"),
        (("0", "-1"), "no class -1"),
        (("1", "dog"), "--classes=1,dog: 1 and dog are the same"),
        (("0", "index:4"), "no class index:4"),
        (("0", "name:Dog"), "no class name:Dog"),
    ],
)
def test_what_is_no_class(wanted, message):
    with pytest.raises(InputError, match=message):
        resolve_classes(wanted, NAMES)


def test_many_names_are_not_all_listed():
    with pytest.raises(InputError, match=r"9 \(9\), \.\.\., 199\.$"):
        resolve_classes(("0", "200"), [str(label) for label in range(200)])


@pytest.mark.parametrize("word", ["1", "2"])
def test_a_number_that_is_one_classes_index_and_anothers_name(word):
    names = ("1", "10", "11", "2")  # In the order of names, as folders are.
    with pytest.raises(InputError) as caught:
        resolve_classes((word, "10"), names)
    assert f"write name:{word} or index:{word}" in str(caught.value)
    assert f"the class called {names[int(word)]}" in str(caught.value)
    assert resolve_classes(("name:1", "name:2"), names).tolist() == [0, 3]
    assert resolve_classes(("index:1", "index:2"), names).tolist() == [1, 2]
    # Nothing to choose from: both readings are the same class, or there is one.
    assert resolve_classes(("0", "1"), ("0", "1", "2")).tolist() == [0, 1]


def test_names_that_look_the_same_are_the_same():
    names = ("cafe\u0301", "tea")
    assert resolve_classes(("caf\xe9", "tea"), names).tolist() == [0, 1]


@pytest.mark.parametrize(
    "classes,message",
    [
        (("a", "b"), "the test split of pets has no image of --classes=a,b: choose"),
        ((), "the test split of pets has no images: prepare"),
    ],
)
def test_a_split_without_images_is_refused(classes, message):
    check_splits("pets", {"train": 5, "test": 1}, classes)
    with pytest.raises(InputError, match=message):
        check_splits("pets", {"train": 5, "test": 0}, classes)
