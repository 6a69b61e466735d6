"""Sets from anywhere: damaged, foreign, or made to do harm. One line refuses each."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets.distilled_set import (
    is_distilled_set,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.errors import InputError
from hdd_tf.files import checksums
from tests.artifacts.conftest import make_small_set
from tests.artifacts.full_set import assert_same_extras, full_set

pytestmark = pytest.mark.slow

# The file of each encoding that holds images.
IMAGES = {
    "float32": "distilled-train.tfrecord-00000-of-00001",
    "png": "distilled-train.tfrecord-00000-of-00001",
    "png_folder": "001_a_b/0001.png",
    "npz": "distilled.npz",
    "dd_ranking": "dd_ranking.npz",
}
assert list(IMAGES) == list(ENCODINGS)


@pytest.fixture(params=ENCODINGS)
def encoding(request):
    return request.param


@pytest.fixture
def directory(tmp_path, small_set, encoding):
    write_distilled_set(tmp_path / "set", small_set, encoding)
    return tmp_path / "set"


@pytest.fixture
def image_file(directory, encoding):
    return directory / IMAGES[encoding]


@pytest.fixture(scope="module")
def full_originals(tmp_path_factory):
    """Sets that carry everything, of the encodings of TWO_KINDS."""
    place = tmp_path_factory.mktemp("full")
    carried = full_set(make_small_set())
    for encoding in ("float32", "png_folder"):
        write_distilled_set(place / encoding, carried, encoding)
    return place


@pytest.fixture
def full_directory(tmp_path, full_originals, encoding):
    """A copy of one of them."""
    return shutil.copytree(full_originals / encoding, tmp_path / "full")


# Where the encodings do not differ but in having files of fixed names or not.
TWO_KINDS = pytest.mark.parametrize(
    "encoding", ["float32", "png_folder"], indirect=True
)


def refuse(directory, message=None):
    pattern = message and re.escape(message)
    with pytest.raises(InputError, match=pattern) as caught:
        read_distilled_set(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def reseal(directory, **changes):
    """Writes metadata whose checksums are right, as someone with an intent would."""
    path = directory / "hdd_tf.json"
    metadata = {**json.loads(path.read_text("utf-8")), **changes}
    if "files" not in changes:
        listed = [name for name in metadata["files"] if (directory / name).is_file()]
        metadata["files"] = checksums.describe_files(directory, listed)
    path.write_text(json.dumps(checksums.seal(metadata)), "utf-8")


def test_any_flipped_bit_is_refused(directory, image_file):
    whole = image_file.read_bytes()
    positions = {*range(16), *np.linspace(0, len(whole) - 1, 40, dtype=int)}
    for position in sorted(positions):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        image_file.write_bytes(damaged)
        assert image_file.name in refuse(directory, "does not match its checksum")
    image_file.write_bytes(whole)
    read_distilled_set(directory)


def test_any_flipped_bit_of_the_description_is_refused(directory):
    path = directory / "hdd_tf.json"
    whole = path.read_bytes()
    for position in np.linspace(0, len(whole) - 1, 60, dtype=int):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        # White space between values is no part of what is described.
        if not whole[position : position + 1].isspace():
            path.write_bytes(damaged)
            refuse(directory)


def test_every_other_file_counts_too(directory, encoding):
    for name in json.loads((directory / "hdd_tf.json").read_text("utf-8"))["files"]:
        whole = (directory / name).read_bytes()
        (directory / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        refuse(directory, "does not match its checksum")
        (directory / name).unlink()
        refuse(directory, "is missing")
        (directory / name).write_bytes(whole)
    read_distilled_set(directory)


def test_truncated_files_are_refused(directory, image_file):
    whole = image_file.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        image_file.write_bytes(whole[:size])
        refuse(directory, f"has {size} bytes instead of {len(whole)}")


def test_a_file_of_another_set_is_refused(directory, image_file, encoding, small_set):
    other = directory.parent / "other"
    brighter = small_set.images + np.float32(1)
    write_distilled_set(
        other, type(small_set)(brighter, small_set.labels, small_set.metadata), encoding
    )
    (other / IMAGES[encoding]).replace(image_file)
    refuse(directory, str(image_file))


def test_damage_under_right_checksums_is_refused(directory, image_file):
    whole = image_file.read_bytes()
    # A record's head that asks for more memory than there is, among others.
    damages = [
        whole[:-7],
        whole + b"\0" * 9,
        b"",
        b"x" * len(whole),
        b"\xff" * 7 + b"\x0f" + whole[8:],
        whole[: len(whole) // 2] + b"\xff" * 8 + whole[len(whole) // 2 + 8 :],
    ]
    for damaged in damages:
        image_file.write_bytes(damaged)
        reseal(directory)
        try:
            read = read_distilled_set(directory)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            # What was added or changed is no part of the images.
            assert read.images.shape == (6, 7, 5, 3)
            assert damaged not in (b"", b"x" * len(whole))


def test_links_out_of_the_set_are_refused(directory, image_file, encoding):
    secret = directory.parent / "secret"
    secret.write_bytes(image_file.read_bytes())
    image_file.unlink()
    image_file.symlink_to(secret)
    refuse(directory, "leads out of")
    image_file.unlink()
    secret.replace(image_file)
    read_distilled_set(directory)
    if encoding == "png_folder":
        image_file.parent.rename(directory.parent / "elsewhere")
        image_file.parent.symlink_to(directory.parent / "elsewhere")
        refuse(directory, "leads out of")


def test_a_description_that_is_a_link_is_refused(directory):
    (directory / "hdd_tf.json").rename(directory.parent / "hdd_tf.json")
    (directory / "hdd_tf.json").symlink_to(directory.parent / "hdd_tf.json")
    refuse(directory, "leads out of")


@TWO_KINDS
@pytest.mark.parametrize(
    "name",
    [
        "../secret", "/etc/passwd", "000_round/../../secret", "", ".", "..", "a\0b",
        "notes.txt", "000_round/../001_a_b/0001.png", "000_round//0007.png",
        "003_d/0000.png", "000_round/0000.png\n", "hdd_tf.json", "x" * 5000,
    ],
)  # fmt: skip
def test_names_that_are_not_of_the_encoding_are_refused(directory, name):
    (directory.parent / "secret").write_text("mine")
    (directory / "notes.txt").write_text("mine")
    files = json.loads((directory / "hdd_tf.json").read_text("utf-8"))["files"]
    described = {"bytes": 4, "sha256": "0" * 64}
    reseal(directory, files={**files, name: described})
    refuse(directory, "has an invalid entry 'files'")


def test_text_that_no_file_can_hold_is_refused(directory):
    reseal(directory, dataset="\ud800")
    refuse(directory, "is damaged (not JSON)")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_images", 10**12), ("num_images", 10**300), ("image_shape", [1, 1, 10**9]),
        ("image_shape", [2**31 - 1] * 3), ("image_shape", [70000, 70000, 3]),
        ("num_images", 7), ("num_images", 5), ("image_shape", [7, 5, 1]),
        ("image_shape", [8, 5, 3]),
    ],
)  # fmt: skip
def test_sizes_that_the_files_do_not_have_are_refused(directory, key, value):
    channels = value[2] if key == "image_shape" else 3
    few = min(channels, 3)
    reseal(directory, **{key: value, "mean": [0.5] * few, "std": [0.5] * few})
    refuse(directory, "does not hold the images")


@TWO_KINDS
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_images", 0), ("num_images", -6), ("num_images", 6.0), ("num_images", "6"),
        ("num_images", True), ("num_images", None), ("image_shape", [7, 5]),
        ("image_shape", [7, 5, -3]), ("image_shape", [7, 5, 2**31]),
        ("image_shape", "753"), ("image_shape", {"7": 5}), ("formation_factor", 10**9),
        ("formation_factor", 0), ("formation_factor", "2"), ("decoded", "no"),
        ("label_names", "abc"), ("label_names", [1, 2, 3]), ("label_names", None),
        ("mean", [0.1, float("nan"), 0.3]), ("mean", 0.1), ("mean", [10**400] * 3),
        ("std", [0.1, 0, 0.3]), ("std", ["1"] * 3), ("source", []), ("files", []),
        ("files", {"a": 1}),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(directory, key, value):
    reseal(directory, **{key: value})
    refuse(directory, f"has an invalid entry '{key}'")


def network(**options):
    """Returns a teacher's description; the options that are right have no name here."""
    whole = {"depth": 1, "width": 4, "norm": "none", "activation": "relu"}
    whole |= {"pooling": "average"} | {k: v for k, v in options.items() if k != "name"}
    return {"name": options.get("name", "convnet"), "options": whole}


@TWO_KINDS
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("soft_labels", True), ("soft_labels", ["x"]), ("student_rate", float("nan")),
        ("student_rate", "0.1"), ("student_rate", 10**400), ("student_rate", None),
        ("classes", 3), ("classes", ["a", "b"]), ("classes", [1.5, True]),
        ("recipe", []), ("recipe", {"a": {"b": 1}}), ("recipe", {"a": float("inf")}),
        ("recipe", {"a": [0] * 10**5}), ("teacher", None), ("teacher", {}),
        ("teacher", {"networks": []}), ("teacher", {"networks": [network()] * 99}),
        ("teacher", {"networks": [network()], "code": "x"}),
        ("teacher", {"networks": [network(name="os:system")]}),
        ("teacher", {"networks": [network(name=["convnet"])]}),
        ("teacher", {"networks": [network(depth=10**9)]}),
        ("teacher", {"networks": [network(width=10**9)]}),
        ("teacher", {"networks": [network(width=True)]}),
        ("teacher", {"networks": [network(norm=["none"])]}),
        ("teacher", {"networks": [network(pooling="median")]}),
        ("teacher", {"networks": [network(extra=1)]}),
        ("epoch_labels", 2), ("epoch_labels", {"epochs": 2}),
        ("epoch_labels", {"epochs": 0, "batch_size": 4}),
        ("epoch_labels", {"epochs": 2, "batch_size": 2**40}),
        ("epoch_labels", {"epochs": 2.0, "batch_size": 4}),
        ("whitening", {}), ("whitening", {"epsilon": 0}),
        ("whitening", {"epsilon": "0.1"}), ("whitening", {"epsilon": 1, "n": 2}),
    ],
)  # fmt: skip
def test_extras_that_cannot_be_are_refused(full_directory, key, value):
    reseal(full_directory, **{key: value})
    refuse(full_directory, f"has an invalid entry '{key}'")


@TWO_KINDS
@pytest.mark.parametrize(
    ("key", "value"),
    [
        # Neither takes memory: gigabytes of weights, petabytes of labels.
        ("teacher", {"networks": [network(width=2**16, depth=2)]}),
        ("teacher", {"networks": [network(name="vgg11_batch")]}),
        ("teacher", {"networks": [network(depth=5)]}),
        ("teacher", {"networks": [network(width=5)]}),
        ("teacher", {"networks": [network(norm="group")]}),
        ("epoch_labels", {"epochs": 2**30, "batch_size": 4}),
        ("epoch_labels", {"epochs": 1, "batch_size": 4}),
        ("epoch_labels", {"epochs": 2, "batch_size": 1}),
    ],
)
def test_extras_that_the_files_do_not_hold_are_refused(full_directory, key, value):
    reseal(full_directory, **{key: value})
    refuse(full_directory, "does not hold the images")


@TWO_KINDS
@pytest.mark.parametrize("key", ["teacher", "epoch_labels", "whitening"])
def test_extras_have_their_files_and_no_others_do(
    full_directory, directory, key, encoding
):
    path = full_directory / "hdd_tf.json"
    whole = json.loads(path.read_text("utf-8"))
    # Files that nothing is said of.
    rest = {k: v for k, v in whole.items() if k not in (key, checksums.OWN_SUM)}
    path.write_text(json.dumps(checksums.seal(rest)), "utf-8")
    refuse(full_directory, "has an invalid entry 'files'")
    assert not is_distilled_set(full_directory)
    # Something is said of files that are not there.
    reseal(directory, **{key: whole[key]})
    refuse(directory, "has an invalid entry 'files'")


@TWO_KINDS
@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (None, "does not record which class each of its logits is of"),
        ("reversed", "has its classes in another order than the set"),
        ("damaged", "does not hold the images"),
    ],
)
def test_a_teacher_of_another_order_of_classes_is_refused(
    full_directory, names, reason
):
    place = full_directory / "teacher" / "hdd_tf.json"
    described = json.loads(place.read_text("utf-8"))
    order = described.pop("label_names")
    if names:
        described["label_names"] = order[::-1]
    text = json.dumps(described)
    place.write_text(text[:9] if names == "damaged" else text, "utf-8")
    reseal(full_directory)
    refuse(full_directory, reason)


@TWO_KINDS
def test_a_teacher_is_read_as_data(full_directory, monkeypatch):
    """Its program may be any program: nothing of it is run."""

    def run(*args, **kwargs):
        raise AssertionError("a foreign program was loaded")

    monkeypatch.setattr(tf.saved_model, "load", run)
    original = read_distilled_set(full_directory)
    (full_directory / "teacher" / "saved_model.pb").write_bytes(b"evil")
    reseal(full_directory)
    assert_same_extras(read_distilled_set(full_directory), original)


@TWO_KINDS
@pytest.mark.parametrize(
    "name",
    [
        "teacher/variables/variables.index",
        "teacher/variables/variables.data-00000-of-00001",
        "epoch_labels.npz",
        "whitening.npz",
    ],
)
def test_damaged_extras_under_right_checksums_are_refused(full_directory, name):
    path = full_directory / name
    whole = path.read_bytes()
    for damaged in (whole[:60], b"", b"x" * len(whole), whole[64:] + whole[:64]):
        path.write_bytes(damaged)
        reseal(full_directory)
        refuse(full_directory)


@pytest.mark.parametrize("encoding", ["png_folder"], indirect=True)
def test_soft_labels_of_other_images_are_refused(full_directory):
    path = full_directory / "label_logits.npz"
    arrays = dict(np.load(path))
    for changed in (
        {"files": arrays["files"][::-1]},
        {"files": np.array(["x"] * 6)},
        {"files": np.array([{}] * 6, object)},
        {"label_logits": arrays["label_logits"][:, :2]},
        {"label_logits": np.full([6, 3], np.inf, np.float32)},
    ):
        np.savez(path, **{**arrays, **changed})
        reseal(full_directory)
        refuse(full_directory, "does not hold the images")
    np.savez(path, **arrays)
    reseal(full_directory)
    read_distilled_set(full_directory)


@TWO_KINDS
def test_files_beside_a_teacher_are_foreign_too(full_directory, small_set):
    assert is_distilled_set(full_directory)
    mine = full_directory / "teacher" / "variables" / "thesis.txt"
    mine.write_text("mine")
    assert not is_distilled_set(full_directory)
    with pytest.raises(InputError, match="holds other things"):
        write_distilled_set(full_directory, small_set)
    mine.unlink()
    # A damaged description does not turn the teacher into a file of the user's, where
    # the other names never vary.
    (full_directory / "hdd_tf.json").write_text("{")
    fixed = not (full_directory / "images").is_dir()
    assert is_distilled_set(full_directory) == fixed


@TWO_KINDS
def test_a_teacher_elsewhere_is_refused(full_directory):
    elsewhere = full_directory.parent / "elsewhere"
    (full_directory / "teacher" / "variables").rename(elsewhere)
    (full_directory / "teacher" / "variables").symlink_to(elsewhere)
    refuse(full_directory, "leads out of")


@TWO_KINDS
@pytest.mark.parametrize("key", ["encoding", "format_version"])
@pytest.mark.parametrize("value", ["jpg", 7, None, ["png"], {}, "x" * 9999])
def test_other_encodings_and_versions_are_refused(directory, key, value):
    reseal(directory, **{key: value})
    assert len(refuse(directory, f"has {key} ")) < 400


def test_a_description_nested_without_end_is_refused(directory):
    (directory / "hdd_tf.json").write_text("[" * 200_000)
    refuse(directory, "not JSON")


def test_pixels_of_another_kind_are_refused(tmp_path, small_set):
    from PIL import Image

    write_distilled_set(tmp_path / "set", small_set, "png_folder")
    path = tmp_path / "set" / "000_round" / "0000.png"
    # Too large, of other colours, of 16 bits, and no PNG at all.
    for image in (
        Image.new("RGB", (3000, 3000)),
        Image.new("L", (5, 7)),
        Image.new("I;16", (5, 7)),
    ):
        image.save(path)
        reseal(tmp_path / "set")
        refuse(tmp_path / "set", "does not hold the images")
    Image.new("RGB", (5, 7)).save(path, format="JPEG")
    reseal(tmp_path / "set")
    refuse(tmp_path / "set", "does not hold the images")
    Image.new("RGB", (5, 7)).save(path)
    reseal(tmp_path / "set")
    assert not read_distilled_set(tmp_path / "set").images[0].any()


@pytest.mark.parametrize("encoding", ["npz", "dd_ranking"], indirect=True)
def test_arrays_of_another_kind_are_refused(directory, image_file):
    arrays = dict(np.load(image_file))
    images = arrays["images"]
    for other in (
        images.astype(np.float64),
        images.astype(">f4"),
        images[:5],
        images.transpose(1, 0, 2, 3),
        np.array([{"pickled": True}] * 6, object),
    ):
        np.savez(image_file, **{**arrays, "images": other})
        reseal(directory)
        refuse(directory, "does not hold the images")
    np.savez_compressed(image_file, **arrays)
    reseal(directory)
    refuse(directory, "does not hold the images")
    del arrays["labels"]
    np.savez(image_file, **arrays)
    reseal(directory)
    refuse(directory, "does not hold the images")


FOREIGN = {
    "float32": "mnist-train.tfrecord-00000-of-00001",
    "png": "more.tfrecord",
    "png_folder": "000_round/0002.png",
}


@pytest.mark.parametrize("encoding", FOREIGN, indirect=True)
def test_files_that_readers_would_take_in_are_refused(directory, encoding):
    (directory / FOREIGN[encoding]).write_bytes(b"mine")
    refuse(directory, "does not belong to the set")


@pytest.mark.parametrize("encoding", ["png_folder"], indirect=True)
def test_another_folder_would_be_another_class(directory):
    (directory / "holiday").mkdir()
    refuse(directory, "holiday does not belong to the set")


@TWO_KINDS
@pytest.mark.parametrize(
    "name", ["notes.txt", "photos/me.png", "000_round/mine.png", "000_round/9999.png"]
)
def test_foreign_files_are_never_deleted(directory, small_set, name):
    mine = directory / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_bytes(b"mine")
    assert not is_distilled_set(directory)
    for encoding in ENCODINGS:
        with pytest.raises(InputError, match="holds other things"):
            write_distilled_set(directory, small_set, encoding)
    assert mine.read_bytes() == b"mine"


def test_a_description_cannot_claim_foreign_files(tmp_path, small_set):
    """Not even for deletion, with a list that names them."""
    place = tmp_path / "home"
    write_distilled_set(place, small_set, "png_folder")
    (place / "thesis.txt").write_text("mine")
    files = json.loads((place / "hdd_tf.json").read_text("utf-8"))["files"]
    files["thesis.txt"] = {"bytes": 4, "sha256": "0" * 64}
    reseal(place, files=files)
    assert not is_distilled_set(place)
    with pytest.raises(InputError, match="holds other things"):
        write_distilled_set(place, small_set)


def test_an_empty_folder_or_a_link_is_foreign_too(directory, small_set):
    (directory / "empty").mkdir()
    assert not is_distilled_set(directory)
    (directory / "empty").rmdir()
    assert is_distilled_set(directory)
    (directory / "link").symlink_to(os.curdir)
    assert not is_distilled_set(directory)


def test_a_damaged_set_can_be_replaced(directory, image_file, small_set):
    image_file.write_bytes(b"short")
    assert is_distilled_set(directory)
    write_distilled_set(directory, small_set)
    np.testing.assert_array_equal(
        read_distilled_set(directory).images, small_set.images
    )
