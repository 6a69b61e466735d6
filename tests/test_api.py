"""`hdd_tf.distill` on plain arrays."""

import importlib
import inspect
import os
import pickle
import pydoc
import types

import numpy as np
import pytest
import tensorflow as tf

import hdd_tf
from hdd_tf.api.arguments import checked_class_names
from hdd_tf.api.calls import in_python
from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.reading.arrays import as_float_images, labelled_images
from hdd_tf.reading.loading import load_dataset

SETTINGS = {
    "iterations": 6, "width": 8, "real_batch": 20, "progress": False,
    "strategy": "one_device",  # Not over the logical devices of tests/conftest.py.
}  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    training = load_dataset("digits", None, 0.0, 0).training
    return training.images[:300], training.labels[:300]


@pytest.mark.slow
def test_arrays_in_arrays_out(digits, monkeypatch):
    # Over two of the logical devices of tests/conftest.py.
    of_kind = tf.config.list_logical_devices
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: of_kind(kind)[:2]
    )
    settings = SETTINGS | {"strategy": "auto", "depth": 1, "dsa": "none", "width": 4}
    images, labels = hdd_tf.distill(*digits, ipc=2, **settings)
    assert images.shape == (20, 32, 32, 1) and images.dtype == np.float32
    np.testing.assert_array_equal(labels, np.repeat(np.arange(10), 2))
    assert labels.dtype == np.int64
    # Still digits on the 0-255 scale after a few small steps, but changed.
    assert 0 < images.mean() < 255 and images.max() > 150
    assert not np.array_equal(images, np.rint(images))


@pytest.mark.slow
def test_same_seed_same_images_other_seed_or_geometry_others(digits):
    def images(seed, **settings):
        return hdd_tf.distill(
            *digits,
            ipc=1,
            seed=seed,
            depth=1,
            dsa="none",
            **{**SETTINGS, "iterations": 2},
            **settings,
        ).images

    first = images(1)
    np.testing.assert_array_equal(first, images(1))
    assert not np.array_equal(first, images(2))
    other = images(1, geometry="euclidean", curvature="-1/3")
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "objective", ["idm", pytest.param("dance", marks=pytest.mark.stress)]
)
@pytest.mark.slow
def test_idm_and_dance_give_the_images_that_networks_train_on(
    digits, objective, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    settings = SETTINGS | {
        "iterations": 1, "depth": 1, "dsa": "none", "image_lr": 0.1, "idm_pool_size": 5,
        "idm_train_steps": 1, "idm_train_batch": 16, "num_experts": 1,
        "pretrain_epochs": 1,
    }  # fmt: skip
    images, labels = hdd_tf.distill(*digits, ipc=1, objective=objective, **settings)
    assert images.shape == (40, 32, 32, 1)
    np.testing.assert_array_equal(labels, np.repeat(np.arange(10), 4))
    assert list(tmp_path.iterdir()) == []


def test_experts_are_kept_where_that_is_asked_for_alone(small, tmp_path, monkeypatch):
    places = []

    def note(stated, config, *rest):
        places.append((stated.expert_dir, config.expert_dir))
        assert os.path.isdir(os.path.dirname(config.expert_dir))
        return small

    monkeypatch.setattr("hdd_tf.api.distilling._distil", note)
    images = np.zeros((2, 8, 8, 1), np.uint8)
    images[0] = 200
    hdd_tf.distill(images, [0, 1])
    hdd_tf.distill(images, [0, 1], expert_dir=str(tmp_path))
    (stated, used), kept = places
    assert not os.path.exists(os.path.dirname(used))
    assert stated == Config(dataset="x").expert_dir
    assert kept == (str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"ipc": 0}, "^ipc=0: must be"),
        ({"ipc": 1000}, "^ipc=1000 is more than .*; lower ipc"),
        ({"curvature": 1.0}, "^curvature=1.0: must be"),
        ({"norm": "batch"}, "^network='convnet' has batch norm"),
        ({"init": "mean"}, "^init='mean': must be"),
        ({"real_bank_size": 1, "objective": "idm"}, "^real_bank_size=1 revisits"),
        ({"image": 1}, "no setting image; did you mean images"),
        ({"no_such": 1}, "no_such: python -m hdd_tf.main --help explains"),
        ({"test": 1}, r"no setting test: hdd_tf.evaluate\(\) takes it"),
        ({"epochs": 5}, r"no setting epochs: hdd_tf.evaluate\(\) has eval_epochs"),
        ({"output_dir": "x"}, r"no setting output_dir: save the result, by .save"),
        ({"iteration": 3}, "no setting iteration; did you mean iterations"),
        (
            {"run_dir": "x"},
            "no setting run_dir: it has a meaning for the command alone",
        ),
        ({"class_names": 5}, "class_names must be a list of names, not int"),
        ({"class_names": set("abcdefghij")}, "in the order of the numbers, not a set"),
        ({"class_names": dict(enumerate("abcdefghij"))}, "the numbers, not a dict"),
        ({"num_experiments": 2}, "num_experiments"),
        ({"classes": "0,1"}, "classes"),
        ({"dataset": "digits"}, "give one of the two"),
        ({"class_names": ["a", "b"]}, "class_names holds 2 names"),
        ({"class_names": ["a"] * 10}, "distinct"),
        (
            {"class_names": ["a\nb", *"bcdefghij"]},
            "^class_names hold .* an end of line",
        ),
        ({"dsa": "blur"}, "^dsa='blur': must be none or different names out of"),
    ],
)
def test_bad_settings_are_input_errors(digits, settings, said):
    with pytest.raises(InputError, match=said):
        hdd_tf.distill(*digits, **{**SETTINGS, **settings})


def test_floats_on_the_unit_scale_are_refused(digits):
    with pytest.raises(InputError, match="uint8"):
        hdd_tf.distill(digits[0] / 255.0, digits[1], **SETTINGS)


def test_a_coreset_is_chosen_among_the_images(digits):
    result = hdd_tf.distill(*digits, ipc=2, objective="random", progress=False)
    assert result.images.shape == (20, 32, 32, 1)
    np.testing.assert_array_equal(result.labels, np.repeat(np.arange(10), 2))
    rows = result.distilled_set.metadata["training_rows"]
    np.testing.assert_array_equal(result.images, digits[0][rows])
    assert len(result.history["loss"]) == 0


@pytest.mark.slow
def test_a_data_set_is_taken_by_its_name(digits):
    settings = SETTINGS | {"iterations": 1, "real_bank_size": 1}
    result = hdd_tf.distill(dataset="digits", ipc=1, classes="3,5", **settings)
    assert result.class_names == ("3", "5")
    assert result.settings["real_bank_size"] == 1
    with pytest.raises(InputError, match="give one of the two"):
        hdd_tf.distill(**settings)
    with pytest.raises(InputError, match="give both"):
        hdd_tf.distill(digits[0])


@pytest.fixture(scope="module")
def small():
    """A result on 8x8 images of two classes, as quick as one can be."""
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype(np.uint8)
    return hdd_tf.distill(
        images, np.arange(12) % 2, ipc=1, objective="random", depth=1, width=4,
        progress=False,
    )  # fmt: skip


def test_what_is_saved_twice_is_said_in_the_words_of_python(small, tmp_path):
    place = small.save(tmp_path / "set")
    said = (
        f"{place} holds a distilled set: name another directory, or give "
        "overwrite=True to replace it"
    )
    for write in (small.save, lambda to: hdd_tf.export(small, to)):
        with pytest.raises(InputError) as caught:
            write(place)
        assert str(caught.value) == said
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as caught:
        small.save(tmp_path / "file")
    assert str(caught.value) == f"{tmp_path / 'file'} is a file: name a directory"


@pytest.mark.parametrize("directory", [5, None])
def test_a_set_is_saved_to_a_path(small, directory):
    with pytest.raises(InputError, match="directory must be a path, not"):
        small.save(directory)


def test_an_empty_path_is_not_the_current_folder(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for work in (
        lambda: small.save(""),
        lambda: hdd_tf.export(small, "", encoding="hub"),
        lambda: hdd_tf.load(""),
    ):
        with pytest.raises(InputError, match=r"(directory|output_dir) is empty"):
            work()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["null\0", "x" * 5000, "~nobody_is_called_so/x"])
def test_paths_that_no_system_takes(small, path, tmp_path):
    for use in (
        small.save,
        lambda to: hdd_tf.export(small, to, encoding="hub"),
        lambda of: hdd_tf.export(of, tmp_path / "set"),
        hdd_tf.load,
    ):
        with pytest.raises(InputError, match="is no usable path: ") as caught:
            use(path)
        assert str(caught.value).isprintable()


def test_home_directory_in_what_is_exported(small, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    small.save("~/set")
    for encoding in ("npz", "hub"):
        with pytest.raises(InputError, match=r"lies in .* which is what to export"):
            hdd_tf.export("~/set", "~/set/inner", encoding=encoding)
    assert hdd_tf.export("~/set", "~/other") == tmp_path / "other"


def test_names_in_messages_are_on_one_line():
    with pytest.raises(InputError) as caught:
        hdd_tf.load("no\nsuch\x1b[31mset")
    assert str(caught.value).startswith(r"no such\x1b[31mset does not exist")


def test_python_has_one_default_of_images(small):
    defaults = {
        inspect.signature(function).parameters["images"].default
        for function in (hdd_tf.load, hdd_tf.export, small.save)
    }
    assert defaults == {"decoded"}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.eye(2)[np.arange(12) % 2], "argmax"),
        (np.arange(12) / 12, "not whole"),
        (["cat", None] * 6, "missing"),
    ],
)
def test_labels_that_are_no_numbers_of_classes(labels, said):
    with pytest.raises(InputError, match=said):
        hdd_tf.distill(np.zeros((12, 8, 8, 1), np.uint8), labels)


@pytest.mark.parametrize(
    ("labels", "names", "classes", "class_names"),
    [
        (["dog", "cat"], None, ("cat", "dog"), ("cat", "dog")),
        (["dog", "cat"], ["dog", "cat"], ("dog", "cat"), ("dog", "cat")),
        ([2, 1], None, (1, 2), ("1", "2")),
        ([2, 1], ["a", "b"], (1, 2), ("a", "b")),
    ],
)
def test_labels_of_any_kind_and_the_classes_given_back(
    labels, names, classes, class_names, tmp_path, caplog
):
    images = np.zeros((12, 8, 8, 1), np.uint8)
    images[::2], images[1::2] = 50, 200
    result = hdd_tf.distill(
        images, labels * 6, 1, objective="random", class_names=names, depth=1,
        width=4, progress=False,
    )  # fmt: skip
    assert result.labels.dtype == np.int64 and result.labels.tolist() == [0, 1]
    assert (result.classes, result.class_names) == (classes, class_names)
    bright = [result.classes[label] for label in result.labels]
    assert bright[int(result.images[1].mean() == 200)] == labels[1]
    assert ("are numbered 0, ..., 1" in caplog.text) == (classes == (1, 2))
    loaded = hdd_tf.load(result.save(tmp_path / "set"))
    assert loaded.class_names == class_names
    assert loaded.metadata.get("classes") == ([1, 2] if classes == (1, 2) else None)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_finite(small, value):
    images = np.full((2, 8, 8, 1), 100.0, np.float32)
    images[1, 2, 3] = value
    with pytest.raises(InputError, match=r"^images are not finite"):
        hdd_tf.distill(images, [0, 1])
    with pytest.raises(InputError, match=r"^test images are not finite"):
        hdd_tf.evaluate(small, test=(images, [0, 1]))


def test_labels_of_one_class():
    images = np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8, 1)
    cats = images, ["cat"] * 4
    for call in (
        lambda: hdd_tf.distill(*cats),
        lambda: hdd_tf.evaluate(cats, test=cats, train=cats),
    ):
        with pytest.raises(InputError, match=r"^labels have 1 class \(cat\); at least"):
            call()


TWO = np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8, 1), [0, 1, 0, 1]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_whose_channels_come_first(channels, small):
    images, labels = np.zeros((4, channels, 8, 8), np.uint8), [0, 1, 0, 1]
    advice = r"look channels-first, .*np.transpose\(images, \(0, 2, 3, 1\)\)$"
    with pytest.raises(InputError, match=f"^images of .* {advice}"):
        hdd_tf.distill(images, labels)
    with pytest.raises(InputError, match=f"^test images of .* {advice}"):
        hdd_tf.evaluate(small, test=(images, labels))
    with pytest.raises(InputError, match=f"^images of .* {advice}"):
        hdd_tf.evaluate((images, labels), test=TWO, train=TWO)


def test_classes_that_a_pair_has_no_image_of_are_told(caplog, monkeypatch):
    def score(*arguments, **settings):
        raise InputError("networks train")

    monkeypatch.setattr("hdd_tf.api.evaluating.Evaluation", score)
    real = (TWO[0], [0, 1, 2, 1])
    with pytest.raises(InputError, match="networks train"):
        hdd_tf.evaluate((TWO[0], [0, 2, 0, 2]), test=real, train=real)
    assert "1 classes, such as 1, have test images and none in the set" in caplog.text


class Batches:
    """As a data set of TensorFlow, which is no array."""

    def __iter__(self):
        return iter(TWO[0])

    def as_numpy_iterator(self):
        return iter(TWO[0])


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (Batches(), "a Batches: images, labels = map"),
        ((image for image in TWO[0]), r"a generator: give np.stack\(list"),
        ({"image": TWO[0]}, "a dict: give the values as one list"),
        ("digits", "a str: give a value for each image"),
        (None, "None: give a NumPy array"),
        (TWO[0].astype(object), r"numbers, but are object: give .astype\('float32'\)"),
        (
            np.array([*TWO[0], None], object)[:-1],
            r"shape \(4,\): give np.stack\(list\(images\)\)",
        ),
    ],
    ids=range(7),
)
def test_what_is_no_array_of_numbers_is_told_what_makes_one(images, said):
    with pytest.raises(InputError, match=said) as caught:
        labelled_images(images, TWO[1])
    assert "\n" not in str(caught.value)


def test_numbers_that_are_not_of_numpy():
    short = tf.cast(TWO[0], tf.bfloat16)
    np.testing.assert_array_equal(labelled_images(short, TWO[1]).images, TWO[0])


def test_class_names_that_are_bytes_are_their_text():
    assert checked_class_names([b"cat", "h\xf6rnchen".encode()]) == [
        "cat",
        "h\xf6rnchen",
    ]


PIXELS = TWO[0].astype(np.float64)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (PIXELS / 255, r"0-1 scale by \(255 \* images\).round\(\)"),
        (PIXELS / 127.5 - 1, r"-1 to 1 scale by \(127.5 \* \(images \+ 1\)\)"),
        ((PIXELS - 128) / 64, r"normalised, undo it by \(255 \* \(images \* std"),
        (TWO[0].astype(np.uint16) * 257, r"16 bits by \(images \* \(255 / 65535\)\)"),
        (TWO[0].astype(np.int32) * 16, r"12 bits by \(images \* \(255 / 4095\)\)"),
        (PIXELS * 257, r"16 bits by"),
        (PIXELS * 300.5, "bring their white to 255"),
        (TWO[0] > 100, r"255 \* images.astype\('uint8'\)"),
        (PIXELS / 51.5, "bring their white to 255"),
    ],
)
def test_images_on_another_scale_are_told_what_converts_them(images, said, small):
    with pytest.raises(InputError, match=said) as caught:
        hdd_tf.distill(images, TWO[1])
    assert "\n" not in str(caught.value)
    if images.max() > 31 or images.max() <= 1 or images.min() < 0:
        # Distilled images need not be whole, and may lie a bit outside.
        with pytest.raises(InputError, match=said):
            as_float_images(images)


@pytest.mark.parametrize("images", [PIXELS + 0.25, PIXELS * 1.5 - 60, PIXELS])
def test_distilled_images_need_not_be_whole_or_within_the_scale(images):
    np.testing.assert_array_equal(as_float_images(images), images.astype(np.float32))


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_dark_images_are_taken_with_a_warning(caplog, kind):
    taken = labelled_images((PIXELS // 16).astype(kind), TWO[1]).images
    np.testing.assert_array_equal(taken, PIXELS // 16)
    assert "images are at most 15 and taken for dark ones" in caplog.text
    assert "times 17" in caplog.text


def test_low_images_with_channels_last_are_no_error():
    images = np.zeros((4, 3, 8, 3), np.uint8)
    assert labelled_images(images, [0, 1, 0, 1]).images.shape == (4, 3, 8, 3)


def test_class_names_are_a_list(digits):
    with pytest.raises(InputError, match="class_names must be a list of names, not in"):
        hdd_tf.evaluate(digits, test=digits, train=digits, class_names=5)


@pytest.mark.parametrize(
    ("function", "name", "said"),
    [
        (
            "distill",
            "num_eval",
            "has no setting num_eval: it is a setting of hdd_tf.ev",
        ),
        ("evaluate", "image_lr", "image_lr: it is a setting of hdd_tf.distill()"),
        ("distill", "lr", "did you mean image_lr"),
        ("distill", "images_per_class", "did you mean ipc"),
        ("distill", "classnames", "did you mean class_names?"),
        ("evaluate", "epochs", "eval_epochs"),
        ("evaluate", "networks", "did you mean network or eval_networks?"),
        ("evaluate", "log_every", "it has a meaning for the command alone"),
        ("distill", "classes", "it goes with dataset=NAME"),
    ],
)
def test_where_a_setting_belongs(digits, small, function, name, said):
    first = digits if function == "distill" else (small,)
    with pytest.raises(InputError) as caught:
        getattr(hdd_tf, function)(*first, **{name: 1})
    assert said in str(caught.value) and len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("--ipc=0: must be", "ipc=0: must be"),
        ("give --norm=batch.", "give norm='batch'."),
        ("lower --ipc or use --init=noise", "lower ipc or use init='noise'"),
        ("(--noanalysis, --noprogress)", "(analysis=False, progress=False)"),
        ("--norm and --eval_networks=none", "norm and eval_networks=none"),
        ("--curvature=-1/3, --classes=0,3", "curvature=-1/3, classes=0,3"),
        ("--dataset=folder:/a b: none", "dataset=folder:/a b: none"),
        # Commands, and what is no setting, stay as they are.
        ("python -m hdd_tf.main --help", "python -m hdd_tf.main --help"),
        (
            "by hdd-tf export --run_dir=a --output_dir=B and --ipc=1",
            "by hdd-tf export --run_dir=a --output_dir=B and ipc=1",
        ),
        ("--flagfile=x, a--ipc=1", "--flagfile=x, a--ipc=1"),
    ],
)
def test_messages_name_arguments_instead_of_flags(message, said):
    assert in_python(message) == said


def test_unknown_arguments_of_functions_without_settings(small):
    with pytest.raises(InputError, match="has no argument image; did you mean images"):
        hdd_tf.load("x", image="stored")
    with pytest.raises(InputError, match="encodng; did you mean encoding"):
        small.save("x", encodng="png")
    with pytest.raises(InputError, match="has no argument x: it has source"):
        hdd_tf.export("x", "y", x=1)


def test_test_images_of_another_size(small):
    images = np.zeros((2, 9, 9, 1), np.uint8)
    with pytest.raises(InputError) as caught:
        hdd_tf.evaluate(small, test=(images, [0, 1]))
    said = "the test images are 9x9x1, and the set's are 8x8x1"
    assert str(caught.value) == said


def test_evaluate_is_the_function_also_beside_the_package():
    function = importlib.import_module("hdd_tf.api.evaluating").evaluate
    package = importlib.reload(importlib.import_module("hdd_tf.evaluate"))
    assert isinstance(package, types.ModuleType)
    assert hdd_tf.evaluate is function
    assert list(inspect.signature(hdd_tf.evaluate).parameters)[:2] == ["source", "test"]
    assert pickle.loads(pickle.dumps(hdd_tf.evaluate)) is function
    assert "Trains fresh networks" in pydoc.plain(pydoc.render_doc(hdd_tf.evaluate))


def test_the_package_lists_its_public_names_alone():
    shown = [name for name in dir(hdd_tf) if not name.startswith("__")]
    assert shown == sorted(hdd_tf.__all__)
    assert "__version__" in dir(hdd_tf)


def test_scores_are_printed_as_the_command_does():
    score = {"mean": 50.0, "std": 0.0, "values": [50.0], "images": 20}
    accuracy, baselines = {"convnet": score}, {"random": {**score, "mean": 40.0}}
    printed = str(hdd_tf.EvaluationResult(accuracy, baselines, {}, None, "dm"))
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert lines[-1] == "distilled (convnet) 20 50.00 ± 0.00 (1 network)"
    result = {
        "accuracy": accuracy, "baselines": baselines, "objective": "dm", "ipc": 10,
        "geometry": "none", "dataset": "digits", "seed": 0, "iterations": 1,
        "selected": "last iteration", "seconds": {},
    }  # fmt: skip
    assert printed in result_table(result, "run")
