"""PyTorch's files: the layouts of published programs, and no pickle is run."""

import os
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

from hdd_tf.errors import InputError
from hdd_tf.foreign_sets import torch_sets
from hdd_tf.foreign_sets.reading import Told, read_foreign_set
from hdd_tf.foreign_sets.torch_files import load_tensors
from tests.foreign_sets.conftest import normalised


@pytest.fixture
def holding(monkeypatch, tmp_path):
    """Makes files whose contents stand in for what PyTorch reads."""
    contents = {}

    def make(name, value):
        (tmp_path / name).touch()
        contents[tmp_path / name] = value
        return tmp_path / name

    monkeypatch.setattr(torch_sets, "load_tensors", contents.get)
    return make


def test_layouts_of_published_programs(holding, dataset, images, labels):
    values = normalised(images)

    def read(file, **told):
        found = read_foreign_set(file, dataset, Told(**told))
        np.testing.assert_array_equal(found.content.labels, labels)
        np.testing.assert_allclose(found.content.images, images, atol=1e-3)
        return found.described

    data = [[values * 0, labels], [values, labels]]
    file = holding("res_DM.pt", {"data": data, "accs_all_exps": {"ConvNet": []}})
    assert "set 2 of 2 (--set_number)" in read(file, number=2)
    read(holding("dict.pt", {"images": values, "labels": labels}))
    read(holding("list.pt", [values, labels]))
    holding("labels_best.pt", labels)
    file = holding("images_best.pt", values)
    assert "(--set_scale)" in read(file, scale="normalised")
    read(file.parent, scale="normalised")
    # What is plainly something else is not taken for normalised.
    read(holding("res_DC.pt", {"data": [[images / 255, labels]]}))


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("res.pt", {"data": []}, "holds no set"),
        ("res.pt", {"data": [np.zeros(3)]}, "does not hold images with labels"),
        ("res.pt", {"net": 1}, "no images and labels among net"),
        ("res.pt", 5, "holds no tensors"),
        ("images_3.pt", np.zeros((2, 3, 6, 8)), "there is no labels_3.pt beside it"),
        ("set.pt", np.zeros((2, 3, 6, 8)), "there is no labels.pt beside it"),
    ],
)
def test_other_contents_are_refused(holding, dataset, name, value, said):
    with pytest.raises(InputError) as caught:
        read_foreign_set(holding(name, value), dataset)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_asked_for_and_not_guessed(holding, dataset, images, labels):
    values = normalised(images)
    holding("labels_best.pt", labels)
    file = holding("images_best.pt", values)
    with pytest.raises(InputError, match="may be normalised or zca: say which"):
        read_foreign_set(file, dataset)
    file = holding("res.pt", {"data": [[values, labels]]})
    with pytest.raises(InputError, match=r"--set_number=2: .* has 1, counted"):
        read_foreign_set(file, dataset, Told(number=2))
    for name in ("images_1.pt", "images_2.pt"):
        holding(name, values)
    file.parent.joinpath("images_best.pt").unlink()
    with pytest.raises(InputError, match="has several sets: name one"):
        read_foreign_set(file.parent, dataset)


def archive_at(path, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("set/data.pkl", b"\x80\x02}." + bytes(5000))
    return path


def test_without_pytorch_a_line_says_what_to_install(tmp_path, monkeypatch):
    file = archive_at(tmp_path / "set.pt")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="pip install torch"):
        load_tensors(file)
    old = types.SimpleNamespace(__version__="2.5.1+cpu")
    monkeypatch.setitem(sys.modules, "torch", old)
    with pytest.raises(InputError, match=r"needs PyTorch 2\.6 or newer"):
        load_tensors(file)


def test_files_that_are_no_archives_are_never_given_to_pytorch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "old.pt").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "empty.pt").touch()
    archive_at(tmp_path / "bomb.pt", compression=zipfile.ZIP_DEFLATED)
    os.mkfifo(tmp_path / "pipe.pt")
    for name, said in {
        "old.pt": "no .pt file of PyTorch 1.6 or newer",
        "empty.pt": "no .pt file of PyTorch 1.6 or newer",
        "bomb.pt": "is compressed, or damaged",
        "pipe.pt": "is no ordinary file",
        "missing.pt": "cannot read",
    }.items():
        with pytest.raises(InputError, match=said):
            load_tensors(tmp_path / name)


class Harmful:
    """Makes a folder where it is unpickled."""

    def __init__(self, place):
        self._place = str(place)

    def __reduce__(self):
        return os.mkdir, (self._place,)


def test_real_files(tmp_path, dataset, images, labels):
    torch = pytest.importorskip("torch", minversion="2.6")
    values = torch.tensor(normalised(images), requires_grad=True)
    numbers = torch.tensor(labels)
    # Accuracies are NumPy's numbers, which the restricted reader alone would refuse.
    accuracies = {"ConvNet": [np.float64(1.5), np.arange(3)]}
    for kept in (values, values.to(torch.bfloat16)):
        saved = {"data": [[kept, numbers]], "accs_all_exps": accuracies}
        torch.save(saved, tmp_path / "res.pt")
        found = read_foreign_set(tmp_path / "res.pt", dataset).content
        np.testing.assert_allclose(found.images, images, atol=1)
        np.testing.assert_array_equal(found.labels, labels)


def test_real_files_that_do_harm(tmp_path):
    torch = pytest.importorskip("torch", minversion="2.6")
    torch.save([Harmful(tmp_path / "harm"), torch.zeros(2)], tmp_path / "run.pt")
    torch.save(torch.zeros(1).expand(10**13), tmp_path / "huge.pt")
    torch.save(torch.eye(3).to_sparse(), tmp_path / "sparse.pt")
    torch.save([torch.zeros(1000), torch.ones(4)], tmp_path / "cut.pt")
    whole = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    for name in ("run", "huge", "sparse", "cut"):
        with pytest.raises(InputError) as caught:
            load_tensors(tmp_path / f"{name}.pt")
        assert "\n" not in str(caught.value) and name in str(caught.value)
    assert not (tmp_path / "harm").exists()
