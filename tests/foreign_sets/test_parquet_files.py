"""Sets as the Hugging Face Hub has them: parquet, and folders below `train`."""

import dataclasses
import io
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.errors import InputError
from hdd_tf.exporting.hub import write_hub
from hdd_tf.foreign_sets.reading import read_foreign_set
from tests.foreign_sets.conftest import MEAN, NAMES, STD


@pytest.fixture(scope="module")
def carried(dataset, images, labels):
    """A set of hdd_tf with soft labels, as a method keeps it."""
    metadata = {
        "dataset": "smooth", "ipc": 4, "objective": "dm", "geometry": "euclidean",
        "label_names": list(NAMES), "mean": list(MEAN), "std": list(STD), "source": {},
    }  # fmt: skip
    logits = np.random.default_rng(2).normal(size=[12, 3]).astype(np.float32)
    return DistilledSet(images.astype(np.float32), labels, metadata, logits)


@pytest.mark.parametrize("place", ["hub", "hub/data/train-00000-of-00001.parquet"])
def test_an_export_for_the_hub_comes_back(tmp_path, dataset, carried, place):
    write_hub(tmp_path / "hub", carried)
    found = read_foreign_set(tmp_path / place, dataset)
    np.testing.assert_array_equal(found.content.images, carried.images)
    np.testing.assert_array_equal(found.content.labels, carried.labels)
    np.testing.assert_array_equal(found.content.label_logits, carried.label_logits)
    assert found.has_soft_labels and "soft labels (logits)" in found.described
    other = dataclasses.replace(dataset, label_names=NAMES[::-1])
    labels = read_foreign_set(tmp_path / place, other).content.labels
    np.testing.assert_array_equal(labels, 2 - carried.labels)


def test_folders_for_the_hub_come_back(tmp_path, dataset, carried):
    hard = dataclasses.replace(carried, label_logits=None)
    write_hub(tmp_path / "hub", hard, "png_folder")
    found = read_foreign_set(tmp_path / "hub", dataset).content
    order = np.argsort(hard.labels, kind="stable")
    np.testing.assert_array_equal(found.images, hard.images[order])
    np.testing.assert_array_equal(found.labels, hard.labels[order])


def test_images_of_several_training_images(tmp_path, dataset, carried):
    more = {"formation_factor": 2, "decoded": False}
    stored = dataclasses.replace(carried, metadata=carried.metadata | more)
    write_hub(tmp_path / "hub", stored)
    assert "4 training images" in read_foreign_set(tmp_path / "hub", dataset).described


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def write_table(path, images, **columns):
    path.parent.mkdir(exist_ok=True)
    given = {"image": [{"bytes": png(image)} for image in images], **columns}
    filled = {name: values for name, values in given.items() if values is not None}
    pyarrow.parquet.write_table(pyarrow.table(filled), path)


def test_parts_of_a_split_and_other_columns(tmp_path, dataset, images, labels):
    names = [NAMES[label] for label in labels]
    plain = [png(image) for image in images]
    for start in (0, 6):
        part = slice(start, start + 6)
        write_table(
            tmp_path / f"data/train-{start}.parquet",
            [],
            image=None,
            img=plain[part],
            labels=names[part],
        )
    write_table(tmp_path / "data/test-0.parquet", images, label=labels)
    found = read_foreign_set(tmp_path, dataset).content
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_array_equal(found.labels, labels)


def test_tables_that_do_not_fit_are_refused(tmp_path, dataset, images, labels):
    def said(name="a.parquet", **columns):
        if columns:
            write_table(tmp_path / name, images, **({"label": labels} | columns))
        with pytest.raises(InputError) as caught:
            read_foreign_set(tmp_path / name, dataset)
        message = str(caught.value)
        assert str(tmp_path / name) in message and "hdd_tf_" not in message
        assert "\n" not in message
        return message

    assert "has the columns image: a set has" in said(label=None)
    assert "no label in row 3" in said(label=[0, 1, None, *labels[3:]])
    beside = [{"bytes": None, "path": "0.png"}] * 12
    assert "does not hold the image of row 1: write the bytes" in said(image=beside)
    small = [{"bytes": png(image[:4])} for image in images]
    assert "/row_1 is 4x8, and the images of smooth are 6x8" in said(image=small)
    assert "/row_1 cannot be read as an image" in said(image=[b"no image"] * 12)
    assert "has no image of class 1 (dog)" in said(label=labels * 0)
    assert "no images: write some" in said(image=[], label=[])
    whole = tmp_path / "a.parquet"
    write_table(whole, images, label=labels)
    (tmp_path / "cut.parquet").write_bytes(whole.read_bytes()[:-200])
    assert "cannot be read as a parquet file" in said("cut.parquet")
    (tmp_path / "none.parquet").write_bytes(b"")
    assert "cannot be read as a parquet file" in said("none.parquet")
    table = pyarrow.parquet.read_table(whole)
    for about in ({"huggingface": "[]"}, {"hdd_tf": json.dumps({"cells": "x"})}):
        odd = table.replace_schema_metadata(about)
        pyarrow.parquet.write_table(odd, tmp_path / "odd.parquet")
        assert "cannot be read as a parquet file" in said("odd.parquet")


def test_several_sets_in_a_folder(tmp_path, dataset, images, labels):
    for name in ("a", "b"):
        write_table(tmp_path / f"{name}.parquet", images, label=labels)
    with pytest.raises(InputError, match="has several sets: name one, such as --set="):
        read_foreign_set(tmp_path, dataset)
