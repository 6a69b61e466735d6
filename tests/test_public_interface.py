"""What `import hdd_tf` offers: names, and sets from memory to files and scores."""

import dataclasses
import json
import pydoc
import re
import subprocess
import sys

import numpy as np
import pytest

import hdd_tf
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.config import Config, to_json
from hdd_tf.errors import InputError
from hdd_tf.evaluate.__main__ import main as evaluate_main
from hdd_tf.training.settled_precision import settled

QUICK = {
    "depth": 1, "width": 4, "dsa": "none", "progress": False, "strategy": "one_device",
}  # fmt: skip
SCORED = {"num_eval": 2, "eval_epochs": 3, "eval_dsa": "none", "progress": False}


def real_images(count, seed):
    """Two classes, dark and bright, that a tiny network tells apart."""
    labels = np.arange(count) % 2
    noise = np.random.default_rng(seed).integers(0, 60, (count, 8, 8, 1))
    return (noise + 180 * labels[:, None, None, None]).astype(np.uint8), labels


TRAIN, TEST = real_images(40, 0), real_images(20, 1)


@pytest.fixture(scope="module")
def result():
    return hdd_tf.distill(
        *TRAIN, 3, iterations=4, real_batch=8, class_names=["dark", "bright"],
        steps_per_call=3, **QUICK,
    )  # fmt: skip


@pytest.fixture(scope="module")
def saved(result, tmp_path_factory):
    return result.save(tmp_path_factory.mktemp("saved") / "set")


@pytest.mark.slow
def test_importing_hdd_tf_and_listing_its_names_needs_no_tensorflow():
    code = (
        "import sys, hdd_tf; names = dir(hdd_tf); hdd_tf.InputError;"
        "assert set(hdd_tf.__all__) <= set(names);"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_in_the_help():
    # Python 3.13 breaks long signatures into lines.
    help_text = pydoc.plain(pydoc.render_doc(hdd_tf)).replace("(\n", "(")
    help_text = re.sub(r"\( +\|? *", "(", help_text)
    for name in hdd_tf.__all__:
        assert getattr(hdd_tf, name) is not None
        assert name in dir(hdd_tf)
        assert name in help_text
    assert "distill(images" in help_text and "evaluate(source" in help_text
    with pytest.raises(AttributeError, match="no_such"):
        _ = hdd_tf.no_such


def test_layers_and_losses_are_modules_that_say_what_they_offer():
    import hdd_tf.layers
    import hdd_tf.losses

    assert set(hdd_tf.layers.__all__) <= set(dir(hdd_tf.layers))
    distance = hdd_tf.losses.GeodesicCentroidLoss(curvature=-2.0)
    features = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    assert distance(features, features).numpy().max() < 1e-5
    assert distance(features, features + 1).numpy().min() > 0.1


def test_the_result_unpacks_and_tells_what_it_is(result):
    images, labels = result
    assert images is result.images is result[0] and labels is result[1]
    assert len(result) == 2 and result[-1] is labels
    assert result.class_names == ("dark", "bright")
    assert result.settings["iterations"] == 4
    assert result.settings["objective"] == "dm"
    json.dumps(result.settings)
    assert "6 images of 8 x 8 x 1" in repr(result)


def test_the_history_has_a_row_for_each_iteration(result):
    history = result.history
    assert history["iteration"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(
        history["loss"], history["loss_per_class"].sum(axis=1), rtol=1e-6
    )
    assert history["loss_per_class"].shape == (4, 2)
    assert (history["gradient_norm"] > 0).all()
    assert (np.diff(history["seconds"]) > 0).all()


def test_a_saved_set_is_loaded_as_it_was(result, saved):
    loaded = hdd_tf.load(saved)
    images, labels = loaded
    np.testing.assert_array_equal(images, result.images)
    np.testing.assert_array_equal(labels, result.labels)
    assert loaded.class_names == ("dark", "bright")
    assert (loaded.mean, loaded.std) == (
        result.distilled_set.mean,
        result.distilled_set.std,
    )
    assert loaded.metadata["source"] == result.settings
    (batch, _), *_ = loaded.tf_dataset(batch_size=6).as_numpy_iterator()
    wanted = (images / 255 - loaded.mean[0]) / loaded.std[0]
    np.testing.assert_allclose(batch, wanted, atol=1e-5)


def test_a_set_is_not_overwritten_unless_that_is_said(result, saved, tmp_path):
    with pytest.raises(InputError, match="holds a distilled set"):
        result.save(saved)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="other things"):
        result.save(tmp_path, overwrite=True)
    again = result.save(saved, overwrite=True)
    np.testing.assert_array_equal(hdd_tf.load(again).images, result.images)


def test_a_damaged_set_is_not_loaded(result, tmp_path):
    place = result.save(tmp_path / "set", encoding="npz")
    (file,) = place.glob("*.npz")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError):
        hdd_tf.load(place)


@pytest.mark.parametrize("encoding", ["png", "npz"])
def test_export_writes_results_sets_and_directories(result, saved, tmp_path, encoding):
    for number, source in enumerate([result, hdd_tf.load(saved), saved]):
        place = hdd_tf.export(source, tmp_path / str(number), encoding=encoding)
        exported = hdd_tf.load(place)
        assert exported.metadata["encoding"] == encoding
        # PNG rounds, and clips what lies outside the 8 bits.
        tolerance = 0 if encoding == "npz" else 0.5
        expected = result.images if tolerance == 0 else np.clip(result.images, 0, 255)
        np.testing.assert_allclose(exported.images, expected, rtol=0, atol=tolerance)


def test_stored_and_decoded_images_of_grids(result, tmp_path):
    grids = dataclasses.replace(
        result.stored, metadata={**result.stored.metadata, "formation_factor": 2}
    )
    result = dataclasses.replace(result, stored=grids, distilled_set=decode_set(grids))
    assert (len(result.stored.images), len(result.images)) == (6, 24)
    stored = result.save(tmp_path / "stored", images="stored")
    assert len(hdd_tf.load(stored, images="stored").images) == 6
    np.testing.assert_array_equal(hdd_tf.load(stored).images, result.images)
    decoded = hdd_tf.export(stored, tmp_path / "decoded", images="decoded")
    np.testing.assert_array_equal(hdd_tf.load(decoded).images, result.images)
    with pytest.raises(InputError, match="cannot be had"):
        hdd_tf.load(decoded, images="stored")
    with pytest.raises(InputError, match="must be one of"):
        hdd_tf.load(decoded, images="grid")


@pytest.mark.slow
def test_results_files_and_arrays_have_the_same_score(result, saved):
    by_result = hdd_tf.evaluate(result, test=TEST, **SCORED)
    by_file = hdd_tf.evaluate(str(saved), test=TEST, **SCORED)
    by_arrays = hdd_tf.evaluate(
        tuple(result), test=TEST, train=TRAIN, depth=1, width=4, **SCORED
    )
    assert by_result.values == by_file.values == by_arrays.values
    assert len(by_result.values) == 2
    assert by_result.mean == pytest.approx(np.mean(by_result.values), abs=1e-3)
    assert by_result.protocol["epochs"] == 3
    assert f"{by_result.mean:.2f} ± {by_result.std:.2f}" in str(by_result)
    assert "networks=2" in repr(by_result)


def test_baselines_are_scored_beside_the_set(result):
    score = hdd_tf.evaluate(
        result, test=TEST, train=TRAIN, baselines=["random"], **SCORED
    )
    assert score.baselines["random"]["images"] == 6
    assert "random" in str(score)
    with pytest.raises(InputError, match="train="):
        hdd_tf.evaluate(result, test=TEST, baselines=["random"], **SCORED)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "nothing to test on"),
        ({"test": TEST, "num_eval": 0}, "num_eval=0"),
        ({"test": TEST, "num_evals": 2}, "did you mean num_eval"),
        ({"test": TEST, "iterations": 2}, "no setting iterations"),
        ({"test": TEST, "dataset": "digits"}, "give one of the two"),
        ({"test": TEST, "class_names": ["a", "b"]}, "recorded in the set"),
        ({"test": TEST[0]}, "pair"),
        ({"test": (TEST[0] / 255, TEST[1])}, "test images must be uint8"),
        ({"test": (TEST[0], TEST[1] + 1)}, "label 2"),
        ({"test": (TEST[0][:, :4], TEST[1])}, "8x8x1"),
        ({"test": (TEST[0], TEST[1][:3])}, "differ in number"),
        ({"train": TRAIN, "dataset": "digits"}, "train goes with test"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_a_line(result, arguments, said):
    with pytest.raises(InputError, match=said) as caught:
        hdd_tf.evaluate(result, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "arguments", "said"),
    [
        (TRAIN, {"test": TEST}, "give train="),
        ((TRAIN[0] / 255, TRAIN[1]), {"test": TEST, "train": TRAIN}, "0-255 scale"),
        ((TRAIN[0][:, :4], TRAIN[1]), {"test": TEST, "train": TRAIN}, "one shape"),
        ((TRAIN[0], TRAIN[1] - 1), {"test": TEST, "train": TRAIN}, "label -1"),
        (TRAIN, {}, "nothing to test on"),
        (7, {"test": TEST}, "pair"),
        ("/no/such/set", {"test": TEST}, "does not exist"),
    ],
)
def test_what_is_no_set_is_said_in_a_line(source, arguments, said):
    with pytest.raises(InputError, match=said):
        hdd_tf.evaluate(source, **arguments)


def test_test_labels_are_those_that_the_set_was_made_of(result, monkeypatch):
    tested = []

    def note(config, dataset, network):
        tested.append((dataset.test.labels.tolist(), dataset.label_names))
        raise InputError("seen")

    monkeypatch.setattr("hdd_tf.api.evaluating.Evaluation", note)
    metadata = {**result.distilled_set.metadata, "classes": [3, 9]}
    from_three = dataclasses.replace(result.distilled_set, metadata=metadata)
    images, words = TEST[0][:2], ["bright", "dark"]
    pair = {"test": (images, words), "train": (TRAIN[0][:2], ["dark", "bright"])}
    # Beside names, integers are numbers, such as those that `distill` returns.
    numbered = TRAIN[0][:2], [1, 0]
    for source, arguments in (
        (result, {"test": (images, words)}),
        (result, {"test": (images, [1, 0])}),
        (from_three, {"test": (images, [9, 3])}),
        (numbered, {**pair, "class_names": ["dark", "bright"]}),
        (numbered, {**pair, "class_names": ["bright", "dark"]}),
        (numbered, pair),
    ):
        with pytest.raises(InputError, match="seen"):
            hdd_tf.evaluate(source, depth=1, width=4, **arguments)
    assert tested[:4] == [([1, 0], ("dark", "bright"))] * 4
    assert tested[4:] == [([0, 1], ("bright", "dark"))] * 2
    with pytest.raises(InputError, match="test labels have a label 'cat', but the cl"):
        hdd_tf.evaluate(result, test=(images, ["cat", "dark"]))
    with pytest.raises(InputError, match=r"start at 1, .* give labels - 1"):
        hdd_tf.evaluate(numbered, test=(images, [1, 2]), train=TRAIN)
    with pytest.raises(InputError, match="has no setting ipc"):
        hdd_tf.evaluate(result, test=TEST, ipc=3)


def test_the_command_says_what_a_set_of_arrays_lacks(saved, capsys):
    assert evaluate_main(["evaluate", str(saved), "--num_eval=1"]) == 2
    said = capsys.readouterr().err
    assert "hdd_tf.evaluate(SET, test=(images, labels))" in said
    assert said.count("\n") == 1


def test_the_imported_package_evaluate_can_be_called(result):
    import hdd_tf.evaluate as package

    with pytest.raises(InputError, match="nothing to test on"):
        package(result)


def test_settings_of_a_result_are_those_of_the_command(result):
    expected = Config(
        dataset="arrays", ipc=3, iterations=4, real_batch=8, steps_per_call=3, **QUICK
    )
    assert result.settings == to_json(settled(expected))


def test_nothing_is_exported_into_what_it_is_made_from(saved):
    with pytest.raises(InputError, match=r"^(?!--).*lies in .*name a directory"):
        hdd_tf.export(saved, saved / "inner")
    assert not (saved / "inner").exists()
