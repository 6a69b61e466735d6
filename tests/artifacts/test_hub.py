"""Exports for the Hugging Face Hub: what `datasets` and the Hub's viewer look for."""

import dataclasses
import io
import json

import numpy as np
import pyarrow.parquet
import pytest
import yaml
from PIL import Image

import hdd_tf
from hdd_tf.artifacts.encodings.pixels import to_uint8
from hdd_tf.artifacts.sets.distilled_set import write_distilled_set
from hdd_tf.cli.export_hub import main
from hdd_tf.errors import InputError
from hdd_tf.exporting.hub import is_replaceable, write_hub
from tests.artifacts.conftest import make_small_set
from tests.artifacts.full_set import RECIPE, full_set

# Whatever YAML or Markdown could take for its own.
NAMES = ["round", 'a: "b"\n- c', "#čtverec"]
PLAIN = ["round", "ab", "čtverec"]


def named(names, **more):
    small = make_small_set()
    metadata = {**small.metadata, "label_names": names, **more}
    return dataclasses.replace(small, metadata=metadata)


def header_of(place):
    """Returns the entries of the card's header, each of which is one line of JSON."""
    start, header, body = (place / "README.md").read_text("utf-8").split("---\n", 2)
    assert not start and body
    lines = (line.partition(": ") for line in header.splitlines())
    return {key: json.loads(value) for key, _, value in lines}, body


def test_parquet_has_images_classes_and_soft_labels(tmp_path):
    logits = np.random.default_rng(1).normal(size=[6, 3]).astype(np.float32)
    written = dataclasses.replace(named(NAMES), label_logits=logits)
    write_hub(tmp_path / "set", written)
    (file,) = (tmp_path / "set/data").iterdir()
    assert file.name == "train-00000-of-00001.parquet"
    table = pyarrow.parquet.read_table(file)
    about = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert about["image"] == {"_type": "Image"}
    assert about["label"] == {"names": NAMES, "_type": "ClassLabel"}
    number = {"dtype": "float32", "_type": "Value"}
    assert about["soft_label"] == {"feature": number, "_type": "Sequence"}
    assert list(about) == table.column_names
    rows = table.to_pylist()
    images = [np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows]
    np.testing.assert_array_equal(images, to_uint8(written.images))
    assert [row["label"] for row in rows] == written.labels.tolist()
    np.testing.assert_array_equal([row["soft_label"] for row in rows], logits)
    header, _ = header_of(tmp_path / "set")
    features = {each.pop("name"): each for each in header["dataset_info"]["features"]}
    names = features["label"]["dtype"]["class_label"]["names"]
    assert list(names.values()) == NAMES and list(names) == ["0", "1", "2"]
    assert features["soft_label"] == {"sequence": "float32"}
    assert header["configs"][0]["data_files"][0]["path"] == "data/train-*"
    assert header["dataset_info"]["splits"][0]["num_examples"] == 6


def test_what_a_set_carries_lies_in_extras(tmp_path):
    written = full_set(named(PLAIN))
    write_hub(tmp_path / "hub", written)
    assert is_replaceable(tmp_path / "hub")
    place = tmp_path / "hub/extras"
    said = json.loads((place / "training.json").read_text("utf-8"))
    assert said["label_names"] == PLAIN and said["recipe"] == RECIPE
    assert said["student_rate"] == written.student_rate
    assert said["epoch_labels"] == {"epochs": 2, "batch_size": 4}
    assert (place / "teacher/saved_model.pb").is_file()
    with np.load(place / "epoch_labels.npz") as arrays:
        # Rows of the parquet file, whose order is the set's.
        np.testing.assert_array_equal(arrays["rows"], written.epoch_labels.rows)
    with np.load(place / "whitening.npz") as arrays:
        np.testing.assert_array_equal(arrays["mean"], written.whitening.mean)
    _, body = header_of(tmp_path / "hub")
    assert "whitening.npz" in body and "epoch_labels.npz: batch b" in body
    assert "whitened images" in body and "mean = [" not in body
    (place / "notes.txt").write_text("precious")
    assert not is_replaceable(tmp_path / "hub")


@pytest.mark.parametrize("name", ["label_logits", "epoch_labels", "teacher"])
def test_folders_hold_no_soft_labels(tmp_path, name):
    carried = {name: getattr(full_set(named(PLAIN)), name)}
    with pytest.raises(InputError, match="cannot hold soft labels: take --encoding=p"):
        write_hub(
            tmp_path / "hub", dataclasses.replace(named(PLAIN), **carried), "png_folder"
        )
    assert not any(tmp_path.iterdir())


def test_card_gives_a_reader_of_yaml_every_name(tmp_path):
    names = ["\U0001f408 '\"\\", "\x85\u2028\0\x7f\r\n# -", "\U000e0001\ufeff\u732b: "]
    write_hub(tmp_path / "set", named(names))
    text = (tmp_path / "set/README.md").read_text("utf-8")
    assert "\U0001f408" in text and "\u732b" in text  # To be read by people, too.
    header = yaml.safe_load(text.split("---\n")[1])
    feature = header["dataset_info"]["features"][1]
    assert list(feature["dtype"]["class_label"]["names"].values()) == names


def test_folders_have_plain_class_names(tmp_path):
    written = named(PLAIN)
    write_hub(tmp_path / "set", written, "png_folder")
    folders = sorted(path.name for path in (tmp_path / "set/train").iterdir())
    assert folders == sorted(PLAIN)
    for label, name in enumerate(PLAIN):
        files = sorted((tmp_path / "set/train" / name).iterdir())
        found = [np.asarray(Image.open(file)) for file in files]
        expected = to_uint8(written.images[written.labels == label])
        np.testing.assert_array_equal(found, expected)
    header, _ = header_of(tmp_path / "set")
    names = header["dataset_info"]["features"][1]["dtype"]["class_label"]["names"]
    # As readers of folders number them.
    assert list(names.values()) == sorted(PLAIN)


def test_card_tells_how_to_use_the_set_and_not_where_files_lie(tmp_path):
    source = {
        "ipc": 2, "curvature": -0.5, "dataset": "folder:/home/me/pets",
        "data_dir": "/home/me", "run_dir": "/home/me/run", "init": "from:/home/me/a",
        "unknown": "```",
    }  # fmt: skip
    accuracy = {"uint8": {"mean": 61.25, "std": 0.5}}
    more = {"source": source, "iteration": 20_000, "accuracy": accuracy}
    write_hub(tmp_path / "set", named(PLAIN, dataset="folder:`pets`", **more))
    _, body = header_of(tmp_path / "set")
    assert "6 synthetic images of 7 x 5 x 3" in body and "folder:pets" in body
    assert "made by dm in hyperbolic geometry, 20,000 iterations" in body
    assert "mean = [0.1, 0.25, 0.3]" in body and "61.25 ± 0.50 %" in body
    assert '"curvature": -0.5' in body
    assert "/home" not in body and "unknown" not in body


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"selected": "`cut`\nand glued"}, "made by rded: cut and glued.\n"),
        # A set of an earlier version, or of a stranger.
        ({"selected": {"iteration": 3}, "iteration": 0}, "made by rded.\n"),
    ],
)
def test_card_says_how_a_set_without_iterations_was_made(tmp_path, more, said):
    source = {"rded_factor": 2, "d4m_strength": 0.5, "iterations": 9, "width": 8}
    about = {"objective": "rded", "geometry": "none", "source": source, **more}
    write_hub(tmp_path / "set", named(PLAIN, **about))
    _, body = header_of(tmp_path / "set")
    assert said in body
    # Of the settings, those that it depends on.
    assert '"rded_factor": 2' in body and '"width": 8' in body
    assert "d4m_strength" not in body and '"iterations"' not in body


@pytest.mark.parametrize(
    "names, said",
    [(["a/b", "c", "d"], "like the class 'a/b'"), (["..", "c", "d"], "class '..'"),
     (["a\nb", "c", "d"], r"class 'a\nb'"), ([" a", "c", "d"], "class ' a'"),
     (["x" * 200, "c", "d"], "no folder"),
     (["Cat", "dog", "cat"], "'Cat' and 'cat' would share a folder")],
)  # fmt: skip
def test_classes_that_cannot_be_folders(tmp_path, names, said):
    with pytest.raises(InputError, match="take --encoding=parquet") as caught:
        write_hub(tmp_path / "set", named(names), "png_folder")
    assert said in str(caught.value) and not any(tmp_path.iterdir())


def test_from_python(tmp_path):
    written = named(PLAIN)
    place = hdd_tf.export(written, tmp_path / "hub", encoding="hub")
    assert (place / "data/train-00000-of-00001.parquet").is_file()
    with pytest.raises(InputError, match="give overwrite=True to replace it"):
        hdd_tf.export(written, place, encoding="hub")
    hdd_tf.export(written, place, encoding="hub", overwrite=True)
    write_distilled_set(tmp_path / "set", written)
    with pytest.raises(InputError, match="lies in"):
        hdd_tf.export(tmp_path / "set", tmp_path / "set/hub", encoding="hub")
    for wrong in ("jpg", ["png"]):
        with pytest.raises(InputError, match=r"take one of float32, .*, hub$"):
            hdd_tf.export(written, tmp_path / "new", encoding=wrong)


def test_command(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    write_distilled_set("set", named(PLAIN))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("precious")

    def run(*arguments):
        code = main(["hdd-tf export hub", *arguments])
        return code, capfd.readouterr()

    for arguments, said in (
        (["set"], "--output_dir is missing"),
        (["--output_dir=hub"], "nothing to export"),
        (["set", "--output_dir=full"], "full holds other things"),
        (["set", "--output_dir=set/below"], "lies in"),
        (["set", "--output_dir=hub", "--encoding=png"], "encoding"),
        (["set", "--output_dir=hub", "--measure"], "unknown flag --measure"),
        (["set", "--output_dir=hub", "--iterations=3"], "a flag of distilling and not"),
        (["nowhere", "--output_dir=hub"], "'nowhere' is not a flag"),
    ):
        code, captured = run(*arguments)
        assert code == 2 and said in captured.err and captured.err.count("\n") == 1
        assert not (tmp_path / "hub").exists()
    assert run("set", "--output_dir=hub")[0] == 0
    assert sorted(path.name for path in (tmp_path / "hub").iterdir()) == [
        "README.md",
        "data",
    ]
    code, captured = run("set", "--output_dir=hub", "--encoding=png_folder")
    assert code == 2 and "add --overwrite" in captured.err
    more = ["--encoding=png_folder", "--overwrite"]
    assert run("set", "--output_dir=hub", *more)[0] == 0
    assert (tmp_path / "hub/train/round/0001.png").is_file()
    assert is_replaceable(tmp_path / "hub") and not is_replaceable(tmp_path / "full")
    (tmp_path / "hub/train/notes.txt").write_text("precious")
    assert not is_replaceable(tmp_path / "hub")
