"""Tests of names of data sets, which are checked before TensorFlow is imported."""

import pytest

from hdd_tf.data import names
from hdd_tf.data.catalogue import NAMED
from hdd_tf.data.names import check_name, names_in_sources
from hdd_tf.errors import InputError


def test_tfds_sources_show_the_names_of_its_sets():
    assert {"cifar10", "cifar10_h", "mnist", "svhn_cropped"} <= names_in_sources()


@pytest.mark.parametrize("name", [*NAMED, "SVHN", "mnist", "cifar100:3.*", "emnist/x"])
def test_known_names_pass(name, tmp_path):
    check_name(name, str(tmp_path))


def test_what_is_prepared_or_elsewhere_passes(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    check_name("own", str(tmp_path))
    check_name("own", "gs://bucket")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    check_name("own/config:1.0.0", None)
    check_name(f"folder:{tmp_path}", None)
    (tmp_path / names.INFO_FILE).write_text("{}")
    check_name("any", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cifarr10", "no data set 'cifarr10'.* did you mean cifar10"),
        ("owm", "no data set 'owm'.* did you mean .*own"),
        ("cifar-10", "is not the name of a data set"),
        ("folder:nowhere", "there is no such folder"),
        (f"folder:{__file__}", "is a file: unpack it"),
    ],
)
def test_other_names_are_refused(name, said, tmp_path):
    (tmp_path / "own").mkdir()
    with pytest.raises(InputError, match=said):
        check_name(name, str(tmp_path))
