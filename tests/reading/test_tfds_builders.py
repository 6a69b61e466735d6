import json
from typing import ClassVar

import numpy as np
import pytest
import tensorflow_datasets as tfds

from hdd_tf.data.names import Request
from hdd_tf.errors import InputError
from hdd_tf.reading.tfds_builders import find_prepared, open_builder

_FAIL = {"with": None}


class HomeMade(tfds.core.GeneratorBasedBuilder):
    """A set that TFDS can make here; `_FAIL` interrupts the making."""

    VERSION = tfds.core.Version("1.0.0")
    # TFDS 4.9.7 cannot look beside a module of a folder without __init__.py.
    code_path = None
    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name=name) for name in ("a", "b")
    ]

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(4, 4, 1)),
                    "label": tfds.features.ClassLabel(num_classes=2),
                }
            )
        )

    def _split_generators(self, dl_manager):
        downloads = dl_manager.download_dir
        (downloads / "home_made" / "x.zip.tmp.123").mkdir(parents=True, exist_ok=True)
        (downloads / "home_made" / "x.zip.tmp.123" / "part").write_text("unfinished")
        (downloads / "whole.zip").write_text("finished")
        return {"train": self._generate_examples(), "test": self._generate_examples()}

    def _generate_examples(self):
        for index in range(4):
            if index == 2 and _FAIL["with"]:
                raise _FAIL["with"]
            yield index, {"image": np.zeros((4, 4, 1), np.uint8), "label": index % 2}


@pytest.mark.parametrize(
    "text,parts",
    [
        ("cifar10", ("cifar10", "", "")),
        ("cifar10:3.0.2", ("cifar10", "", "3.0.2")),
        ("a/b-c:1.*.*", ("a", "b-c", "1.*.*")),
    ],
)
def test_names(text, parts):
    assert Request.parse(text) == parts
    assert str(Request.parse(text)) == text


@pytest.mark.parametrize("text", ["", "a b", "../x", "kaggle:x", "a/b/c", "a:"])
def test_what_is_no_name(text):
    with pytest.raises(InputError, match="not the name of a data set"):
        Request.parse(text)


def test_newest_version_that_is_there(write_set, tmp_path):
    for version in ("2.0.0", "10.0.0", "9.9.9"):
        write_set(version=version)
    (tmp_path / "pictures" / "incomplete.ABC_11.0.0").mkdir()
    (tmp_path / "pictures" / "12.0.0").mkdir()  # No data set inside.
    for text, version in [
        ("pictures", "10.0.0"),
        ("pictures:2.0.0", "2.0.0"),
        ("pictures:9.*.*", "9.9.9"),
    ]:
        builder = open_builder(Request.parse(text), str(tmp_path))
        assert str(builder.info.version) == version


def test_older_version_than_tfds_knows(write_set, tmp_path, no_network):
    write_set(name="cifar10", version="1.0.2")
    builder = open_builder(Request.parse("cifar10"), str(tmp_path))
    assert str(builder.info.version) == "1.0.2"
    assert not no_network


def test_directory_of_one_set(write_set):
    directory = write_set()
    builder = open_builder(Request.parse("pictures"), str(directory))
    assert builder.info.name == "pictures"
    with pytest.raises(InputError, match=r"pictures:1.0.0, not cifar10\.$"):
        open_builder(Request.parse("cifar10"), str(directory))
    with pytest.raises(InputError, match=r"not pictures:2\.0\.0"):
        open_builder(Request.parse("pictures:2.0.0"), str(directory))


def test_configurations(write_set, tmp_path):
    def directory(text):
        return find_prepared(Request.parse(text), tfds.core.Path(tmp_path))

    home = tmp_path / "pictures"
    write_set(config="small")
    (home / ".config" / "metadata.json").unlink(missing_ok=True)
    assert directory("pictures") == home / "small" / "1.0.0"
    write_set(config="large")
    (home / ".config" / "metadata.json").unlink(missing_ok=True)
    assert directory("pictures/large") == home / "large" / "1.0.0"
    assert directory("pictures/medium") is None
    with pytest.raises(InputError, match="pictures/large or pictures/small"):
        directory("pictures")
    (home / ".config").mkdir(exist_ok=True)
    metadata = {"default_config_name": "small"}
    (home / ".config" / "metadata.json").write_text(json.dumps(metadata))
    assert directory("pictures") == home / "small" / "1.0.0"


def test_default_directory(write_set, tmp_path, monkeypatch):
    write_set()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert open_builder(Request.parse("pictures"), None).info.name == "pictures"


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
def test_damaged_description(write_set, tmp_path, name):
    directory = write_set()
    (directory / name).write_text("{")
    with pytest.raises(InputError, match=r"cannot be read.*: prepare it") as caught:
        open_builder(Request.parse("pictures"), str(tmp_path))
    assert str(directory) in str(caught.value)


@pytest.mark.parametrize("exists", [True, False])
def test_missing_without_a_network(tmp_path, no_network, monkeypatch, exists):
    monkeypatch.setattr(
        tfds.core.DatasetBuilder,
        "download_and_prepare",
        lambda self: pytest.fail("TFDS would try again for minutes"),
    )
    root = tmp_path / "data"
    if exists:
        root.mkdir()
    with pytest.raises(InputError) as caught:
        open_builder(Request.parse("cifar100"), str(root))
    message = str(caught.value)
    assert f"not prepared in {root}" in message
    assert ("no such directory" in message) is not exists
    assert "tfds build cifar100 --data_dir=DIR" in message
    assert "\n" not in message
    assert any("cifar-100" in url for url in no_network)
    assert list(tmp_path.rglob("*")) == ([root] if exists else [])


def test_unsuitable_sets_are_refused_before_the_download(tmp_path, no_network):
    with pytest.raises(InputError, match="no fixed size"):
        open_builder(Request.parse("caltech101"), str(tmp_path))
    with pytest.raises(InputError, match="not an image classification set"):
        open_builder(Request.parse("imdb_reviews"), str(tmp_path))
    assert not no_network


def test_unknown_version(tmp_path, no_network):
    with pytest.raises(InputError, match=r"cannot make cifar10:0\.0\.1"):
        open_builder(Request.parse("cifar10:0.0.1"), str(tmp_path))


def test_unknown_name(write_set, tmp_path, no_network):
    write_set()
    with pytest.raises(InputError, match="did you mean cifar100"):
        open_builder(Request.parse("cifar1000"), str(tmp_path))
    with pytest.raises(InputError, match="did you mean pictures") as caught:
        open_builder(Request.parse("picture"), str(tmp_path))
    assert "digits, fashion_mnist, svhn_cropped, cifar10, cifar100" in str(caught.value)
    with pytest.raises(InputError, match=r"nor folder:DIR\.$"):
        open_builder(Request.parse("qqqqqqqq"), str(tmp_path))
    assert not no_network


def test_what_is_missing_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(_FAIL, "with", None)
    builder = open_builder(Request.parse("home_made/b"), str(tmp_path))
    assert builder.info.splits["train"].num_examples == 4
    assert (tmp_path / "home_made" / "b" / "1.0.0" / "dataset_info.json").exists()
    assert not capsys.readouterr().out
    # The second time it is there, and nothing is made.
    monkeypatch.setitem(_FAIL, "with", OSError("made again"))
    assert open_builder(Request.parse("home_made/b"), str(tmp_path))


@pytest.mark.parametrize(
    "error,raised", [(OSError("disk full"), InputError), (KeyboardInterrupt(), None)]
)
def test_nothing_unfinished_is_left(tmp_path, monkeypatch, error, raised):
    root = tmp_path / "data"
    kept = root / "downloads" / "mine.tmp.keep"
    kept.mkdir(parents=True)
    monkeypatch.setitem(_FAIL, "with", error)
    with pytest.raises(raised or type(error)) as caught:
        open_builder(Request.parse("home_made"), str(root))
    if raised:
        assert "cannot be downloaded" in str(caught.value)
        assert "disk full" in str(caught.value)
    # What was there before and finished downloads are not ours to delete.
    assert sorted(path.name for path in root.rglob("*")) == [
        "downloads",
        "mine.tmp.keep",
        "whole.zip",
    ]
