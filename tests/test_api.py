"""`hdd_tf.distill` on plain arrays."""

import importlib
import inspect
import pickle
import pydoc
import types

import numpy as np
import pytest

import hdd_tf
from hdd_tf.errors import InputError
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.reading.arrays import labelled_images
from hdd_tf.reading.loading import load_dataset

SETTINGS = {
    "iterations": 6, "width": 16, "real_batch": 20, "progress": False,
    "strategy": "one_device",  # Not over the logical devices of tests/conftest.py.
}  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    training = load_dataset("digits", None, 0.0, 0).training
    return training.images[:300], training.labels[:300]


@pytest.mark.slow
def test_arrays_in_arrays_out(digits):
    images, labels = hdd_tf.distill(*digits, ipc=2, **SETTINGS | {"strategy": "auto"})
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
            **{**SETTINGS, "iterations": 2},
            **settings,
        ).images

    first = images(1)
    np.testing.assert_array_equal(first, images(1))
    assert not np.array_equal(first, images(2))
    other = images(1, geometry="euclidean", curvature="-1/3")
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("objective", ["idm", "dance"])
@pytest.mark.slow
def test_idm_and_dance_give_the_images_that_networks_train_on(
    digits, objective, tmp_path
):
    settings = SETTINGS | {
        "iterations": 1, "depth": 1, "image_lr": 0.1, "idm_pool_size": 5,
        "idm_train_steps": 1, "idm_train_batch": 16, "num_experts": 1,
        "pretrain_epochs": 1,
        "expert_dir": str(tmp_path),
    }  # fmt: skip
    images, labels = hdd_tf.distill(*digits, ipc=1, objective=objective, **settings)
    assert images.shape == (40, 32, 32, 1)
    np.testing.assert_array_equal(labels, np.repeat(np.arange(10), 4))


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"ipc": 0}, "--ipc=0"),
        ({"ipc": 1000}, "--ipc=1000"),
        ({"curvature": 1.0}, "--curvature"),
        ({"no_such": 1}, "no_such: python -m hdd_tf.main --help explains"),
        ({"iteration": 3}, "no setting iteration; did you mean iterations"),
        (
            {"run_dir": "x"},
            "no setting run_dir: it has a meaning for the command alone",
        ),
        ({"class_names": 5}, "class_names must be a list of names, not int"),
        ({"num_experiments": 2}, "num_experiments"),
        ({"classes": "0,1"}, "classes"),
        ({"dataset": "digits"}, "give one of the two"),
        ({"class_names": ["a", "b"]}, "class_names holds 2 names"),
        ({"class_names": ["a"] * 10}, "distinct"),
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


def test_python_has_one_default_of_images(small):
    defaults = {
        inspect.signature(function).parameters["images"].default
        for function in (hdd_tf.load, hdd_tf.export, small.save)
    }
    assert defaults == {"decoded"}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array(["cat", "dog"] * 6), r"labels are text: class_names, labels = np.un"),
        (np.array(["cat", "dog"] * 6, object), "labels are text"),
        (np.arange(12) % 2 == 1, r"bool .*: convert them by labels.astype\('int64'\)"),
        (np.eye(2)[np.arange(12) % 2], "argmax"),
        (np.arange(12) % 2 + 1, "no training image of class 0.*give labels - 1"),
    ],
)
def test_labels_that_are_no_numbers_of_classes(labels, said):
    with pytest.raises(InputError, match=said):
        hdd_tf.distill(np.zeros((12, 8, 8, 1), np.uint8), labels)


def test_names_and_labels_from_one():
    with pytest.raises(InputError, match="give labels - 1 if they start at 1"):
        hdd_tf.distill(
            np.zeros((12, 8, 8, 1), np.uint8),
            np.arange(12) % 2 + 1,
            class_names=["a", "b"],
        )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_finite(small, value):
    images = np.full((2, 8, 8, 1), 100.0, np.float32)
    images[1, 2, 3] = value
    with pytest.raises(InputError, match=r"^images are not finite"):
        hdd_tf.distill(images, [0, 1])
    with pytest.raises(InputError, match=r"^test images are not finite"):
        hdd_tf.evaluate(small, test=(images, [0, 1]))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_whose_channels_come_first(channels):
    with pytest.raises(InputError, match=r"channels-first: .*transpose\(0, 2, 3, 1\)"):
        hdd_tf.distill(np.zeros((4, channels, 8, 8), np.uint8), [0, 1, 0, 1])


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
