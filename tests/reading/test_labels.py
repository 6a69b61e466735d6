"""Labels of any kind become numbers, in the documented order."""

import numpy as np
import pytest

from hdd_tf.api.arguments import checked_class_names
from hdd_tf.errors import InputError
from hdd_tf.reading.labels import class_labels, labels_in


def objects(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


class Column:
    """What a column of a table is to NumPy."""

    def __init__(self, values):
        self._values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self._values, dtype)


@pytest.mark.parametrize(
    ("labels", "numbers", "classes", "names"),
    [
        ([0, 1, 1], [0, 1, 1], (0, 1), ("0", "1")),
        (np.array([[1], [0]], np.uint8), [1, 0], (0, 1), ("0", "1")),
        ([3, 1, 2], [2, 0, 1], (1, 2, 3), ("1", "2", "3")),
        ([7, -1, 7], [1, 0, 1], (-1, 7), ("-1", "7")),
        ([1.0, 0.0], [1, 0], (0, 1), ("0", "1")),
        (["dog", "cat", "dog"], [1, 0, 1], ("cat", "dog"), ("cat", "dog")),
        (np.array(["b", "a"]), [1, 0], ("a", "b"), ("a", "b")),
        (objects(np.str_("b"), "a"), [1, 0], ("a", "b"), ("a", "b")),
        ([b"b", b"a"], [1, 0], (b"a", b"b"), ("a", "b")),
        ([True, False], [1, 0], (False, True), ("False", "True")),
        (Column(["b", "a"]), [1, 0], ("a", "b"), ("a", "b")),
        (Column(objects(2, 1)), [1, 0], (1, 2), ("1", "2")),
        # Without an order of their own: as they first occur.
        (["x", 1, "x"], [0, 1, 0], ("x", 1), ("x", "1")),
        (objects((2, 1), "a"), [0, 1], ((2, 1), "a"), ("(2, 1)", "a")),
        (objects((2, 1), (1, 2)), [1, 0], ((1, 2), (2, 1)), ("(1, 2)", "(2, 1)")),
    ],
)
def test_classes_and_their_order(labels, numbers, classes, names):
    found = class_labels(labels)
    assert found.numbers.dtype == np.int64
    assert found.numbers.tolist() == numbers
    assert (found.classes, found.names) == (classes, names)
    plain = all(type(label) is int for label in classes)
    other = plain and classes != tuple(range(len(classes)))
    assert found.renumbered == (list(classes) if other else None)


@pytest.mark.parametrize(
    ("labels", "class_names", "numbers", "classes"),
    [
        ([0, 1], ["no", "yes"], [0, 1], (0, 1)),
        ([2, 1], ["one", "two"], [1, 0], (1, 2)),
        # Within the names they are numbers; that 1 has no image is said later.
        ([0, 2], ["a", "b", "c"], [0, 2], (0, 1, 2)),
        (["dog", "cat"], ["dog", "cat"], [0, 1], ("dog", "cat")),
        ([True, False], ["no", "yes"], [1, 0], (False, True)),
    ],
)
def test_names_of_the_classes(labels, class_names, numbers, classes):
    found = class_labels(labels, class_names)
    assert found.numbers.tolist() == numbers and found.classes == classes
    assert found.names == tuple(class_names)


class Missing:
    """Like pandas.NA: whether it equals itself cannot be said."""

    def __ne__(self, other):
        return self

    def __eq__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = object.__hash__


class OnTape:
    """As a tensor of PyTorch that gives no values while its gradients are recorded."""

    def __array__(self, *args, **kwargs):
        raise RuntimeError("gradients are recorded")

    def detach(self):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.eye(2), r"\(2, 2\): convert one-hot rows by labels.argmax\(axis=1\)"),
        (3, r"must have shape \[n\], but have \(\): give a label for each image$"),
        (np.array([[0, 1, 2]]), r"have \(1, 3\): give np.ravel\(labels\)$"),
        ([(1, 2), (3, 4)], r"a class each by \[str\(row\) for row in labels\]"),
        ({0, 1}, "no array but a set: give the values as one list"),
        ({"a": 1}, "no array but a dict: give the values as one list"),
        ("0101", "no array but a str: give a value for each image"),
        (b"0101", "no array but a bytes: give a value for each image"),
        ((label for label in (0, 1)), r"but a generator: give np.stack\(list"),
        (None, "no array but None: give a NumPy array"),
        (np.array(["2020-01-01"], "M8[D]"), r"no classes: give \.astype\(str\)"),
        ([2**63, 1.0], "too large for floats to tell apart"),
        ([0.5, 1], "not whole, so they are no classes"),
        ([np.nan, 1], "missing or not finite"),
        ([None, "a"], r"missing \(None\)"),
        (objects(Missing(), 1), "missing"),
        (objects({}, 1), "a dict, which cannot be a class"),
        ([1, "1"], "texts are blank, or the same but for spaces"),
        (["a", "a\n"], "texts are blank, or the same but for spaces"),
        (["\xe9", "e\u0301"], "or the encoding of their letters"),
        (["a\nb", "c"], r"hold the text 'a\\nb', which has an end of line in it"),
        (["a\rb", "c"], "an end of line"),
        (["\ud800", "c"], r"hold the text '\\ud800', which UTF-8 cannot encode"),
        (np.ma.masked_equal([0, 1], 1), "have masked values"),
        (OnTape(), r"no array: gradients are recorded.*labels\.detach\(\)\.cpu\(\)"),
        ([" ", "a"], "blank"),
        (np.array([1j, 2]), "complex128, which are no classes"),
        ([[1], [2, 3]], "no array"),
    ],
)
def test_what_is_no_class(labels, said):
    with pytest.raises(InputError, match=said) as caught:
        class_labels(labels, title="train labels")
    assert str(caught.value).startswith("train labels ")


def test_names_that_do_not_fit():
    with pytest.raises(InputError, match="'cat', not among the class_names 'dog'"):
        class_labels(["cat", "dog"], ["dog", "cow"])
    with pytest.raises(InputError, match="holds 3 names, but labels have 2 classes"):
        class_labels([5, 6], list("abc"))


def test_labels_of_known_classes():
    names = ("cat", "dog")
    assert labels_in(["dog", "cat"], None, names).tolist() == [1, 0]
    assert labels_in([1, 7], None, names).tolist() == [1, 7]
    assert labels_in([9, 3], [3, 9], ("3", "9")).tolist() == [1, 0]
    assert labels_in(["9"], [3, 9], ("3", "9")).tolist() == [1]
    with pytest.raises(InputError, match="'cow', but the classes are 'cat', 'dog'"):
        labels_in(["cow"], None, names)
    with pytest.raises(InputError, match="label 1, but the classes are 3, 9"):
        labels_in([1], [3, 9], ("3", "9"))


def test_letters_may_be_encoded_in_two_ways():
    """An accent is a character of its own (NFD), as from macOS, or not (NFC)."""
    one, two = "\xe9t\xe9", "e\u0301te\u0301"
    found = class_labels([one, "b"], [two, "b"])
    assert found.numbers.tolist() == [0, 1] and found.names == (two, "b")
    assert labels_in([one, two, "b"], None, [two, "b"]).tolist() == [0, 0, 1]
    with pytest.raises(InputError, match="or the encoding of their letters"):
        checked_class_names([one, two])
