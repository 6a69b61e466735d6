import numpy as np
import pytest

from hdd_tf.data.subsets import kept_names, kept_rows, renumber, resolve_classes
from hdd_tf.errors import InputError

NAMES = ("cat", "dog", "7", "cow")


@pytest.mark.parametrize(
    "wanted,kept",
    [
        (("0", "2"), [0, 2]),
        (("3", "1", "0"), [0, 1, 3]),
        (("2", "cow", "cat"), [0, 2, 3]),
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
        (("0", "7"), "no class 7"),  # A number is an index, whatever the names.
        (("0", "Dog"), "no class Dog"),
        (("0", "-1"), "no class -1"),
        (("1", "dog"), "--classes=1,dog: 1 and dog are the same"),
    ],
)
def test_what_is_no_class(wanted, message):
    with pytest.raises(InputError, match=message):
        resolve_classes(wanted, NAMES)


def test_many_names_are_not_all_listed():
    with pytest.raises(InputError, match=r"9 \(9\), \.\.\., 199\.$"):
        resolve_classes(("0", "200"), [str(label) for label in range(200)])
