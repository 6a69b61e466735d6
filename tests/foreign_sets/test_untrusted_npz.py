"""`.npz` files made to do harm, or damaged: one line, and no memory is taken."""

import io
import os
import zipfile

import numpy as np
import pytest

from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.npz_files import read_npz_set
from hdd_tf.foreign_sets.reading import read_foreign_set


def header(shape, descr="|u1"):
    file = io.BytesIO()
    about = {"shape": shape, "fortran_order": False, "descr": descr}
    np.lib.format.write_array_header_1_0(file, about)
    return file.getvalue()


def write(path, packing=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


@pytest.mark.parametrize(
    "head, said",
    [
        (header((2**40, 2**10, 2**10)), "is smaller than its header says"),
        (header((-1, 6, 8, 3)), "cannot be read as an .npz file"),
        (header((2, 2), "|O"), "as Python objects"),
        (header((2, 2), [("a", "|u1")]), "as Python objects or fields"),
        (b"\x93NUMPY\x09\x00" + bytes(20), "a header of version"),
        (b"no array", "cannot be read as an .npz file"),
        (b"", "cannot be read as an .npz file"),
    ],
)
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_heads_that_lie(tmp_path, head, said, packing):
    labels = header((2,)) + bytes(2)
    file = write(tmp_path / "set.npz", packing, images=head + bytes(99), labels=labels)
    with pytest.raises(InputError) as caught:
        read_npz_set(file)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_unpacks_to_more_than_memory_is_not_unpacked(tmp_path, monkeypatch):
    from hdd_tf.foreign_sets import content

    monkeypatch.setattr(content, "available_memory", lambda: 1000)
    file = tmp_path / "set.npz"
    np.savez_compressed(file, images=np.zeros((9, 6, 8, 3)), labels=np.zeros(9))
    with pytest.raises(InputError, match=r"does not fit into memory: it holds 10,368"):
        read_npz_set(file)


def test_any_cut_and_any_changed_byte_ends_in_a_line(tmp_path, dataset):
    file = tmp_path / "set.npz"
    np.savez_compressed(
        file, images=np.full((3, 6, 8, 3), 200, np.uint8), labels=np.arange(3)
    )
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        if rng.random() < 0.3:
            data = data[: rng.integers(len(data))]
        file.write_bytes(data)
        try:
            read_foreign_set(file, dataset)
        except InputError as error:
            assert "\n" not in str(error)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "set.npz")
    with pytest.raises(InputError, match="no ordinary file"):
        read_npz_set(tmp_path / "set.npz")
