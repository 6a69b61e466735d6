"""The examples run where hdd_tf cannot be imported, as their readers would run them."""

import importlib
import importlib.util
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest

from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, write_distilled_set
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import whitening_of
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.random_keys import derive_key
from hdd_tf.reading.digits import read_digits

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
# Even an installed hdd_tf is out of reach: the first finder of modules refuses it.
BLOCKED = """
import runpy, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hdd_tf":
            raise ModuleNotFoundError("hdd_tf is blocked")

sys.meta_path.insert(0, Block())
"""
METADATA = {
    "dataset": "pictures", "label_names": ["a", "b", "c"], "mean": [0.5], "std": [0.25],
    "objective": "dm", "geometry": "hyperbolic", "source": {},
}  # fmt: skip
REACHABLE = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"


def python(code, *arguments, cwd, env=None):
    """Runs code in an interpreter that knows nothing of the clone or environment."""
    return subprocess.run(
        [sys.executable, "-I", "-c", code, *map(str, arguments)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
    )


# Runs examples one after the other, as if each were run by its path.
RUN = """
import json, sys
for words in json.loads(sys.argv[1]):
    sys.argv[:] = words
    # What lies beside a program can be imported.
    sys.path.insert(0, words[0].rpartition("/")[0])
    runpy.run_path(words[0], run_name="__main__")
    print(END, flush=True)
"""
END = "-- the end of an example --"


def run_examples(calls, cwd):
    """Returns what programs print, each given as its name and arguments.

    They share one process, for TensorFlow takes longer to start than to train these.
    """
    words = [[str(EXAMPLES / name), *map(str, rest)] for name, *rest in calls]
    code = f"END = {END!r}\n" + BLOCKED + RUN
    # What the user has set for Keras elsewhere changes nothing here.
    (cwd / "keras").mkdir()
    (cwd / "keras" / "keras.json").write_text(
        '{"floatx": "float16", "image_data_format": "channels_first"}'
    )
    foreign = {"KERAS_BACKEND": "jax", "KERAS_HOME": str(cwd / "keras")}
    done = python(code, json.dumps(words), cwd=cwd, env={**os.environ, **foreign})
    assert done.returncode == 0, done.stderr
    return done.stdout.split(f"{END}\n")[:-1]


def percentages(text):
    return {
        name: float(value)
        for name, value in re.findall(r"^(.*accuracy.*): ([\d.]+) %$", text, re.M)
    }


def test_a_damaged_keras_json_is_one_line(tmp_path, monkeypatch, capsys):
    # As Keras does where it cannot use its settings.
    text = "raise ValueError('Invalid `floatx`.\\nReceived: nope')"
    (tmp_path / "keras.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("KERAS_HOME", "/home")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / "default_keras.py"))
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "default_keras.py: Keras cannot be imported (Invalid `floatx`. Received: "
        "nope): mend /home/keras.json\n"
    )


@pytest.fixture(scope="module")
def digits_set(tmp_path_factory):
    """Five real digits of each class, as a run would write them."""
    return write_digits(tmp_path_factory.mktemp("run") / "synthetic")


def write_digits(directory, encoding="float32", shown=range(10), recipe=None, **extras):
    """Writes a set of whose class i the images show the digit `shown[i]`."""
    training, _, label_names = read_digits()
    rows = [np.flatnonzero(training.labels == digit)[:5] for digit in shown]
    metadata = {
        **METADATA,
        "dataset": "digits",
        "label_names": label_names,
        "mean": [0.3],
        "std": [0.35],
    }
    if recipe:
        metadata["recipe"] = recipe
    images = training.images[np.array(rows)]
    distilled_set = DistilledSet.from_class_images(images, metadata, **extras)
    write_distilled_set(directory, distilled_set, encoding)
    return directory


@pytest.mark.slow
def test_the_block_works(tmp_path):
    assert python(REACHABLE + "import hdd_tf.errors", cwd=tmp_path).returncode == 0
    done = python(REACHABLE + BLOCKED + "import hdd_tf.errors", cwd=tmp_path)
    assert done.returncode == 1
    assert "hdd_tf is blocked" in done.stderr


# Each class shows the next digit: who learns the classes is wrong on the test split.
MISLEADING = [*range(1, 10), 0]


def epoch_labels_of_digits(epochs=30, batch_size=25):
    """Returns labels of crops of 50 images, that say which digit each shows."""
    rng = np.random.default_rng(0)
    rows = np.array([rng.permutation(50) for _ in range(epochs)], np.int32)
    boxes = np.zeros([epochs, 50, 4], np.int16)
    boxes[..., :2] = rng.integers(0, 5, [epochs, 50, 2])
    boxes[..., 2:] = 28
    logits = 8 * np.eye(10, dtype=np.float16)[np.repeat(MISLEADING, 5)]
    return EpochLabels(
        rows=rows,
        boxes=boxes,
        flips=np.zeros([epochs, 50], bool),
        partners=np.zeros([epochs, 50], np.int32),
        cuts=np.zeros([epochs, 50 // batch_size, 4], np.int16),
        logits=logits[rows],
        batch_size=batch_size,
    )


CONTINUAL = ("--steps=2", "--epochs=15", "--width=8", "--seed=3")


@pytest.fixture(scope="module")
def printed(digits_set, tmp_path_factory):
    """What the examples print on sets of digits, by the names of the tests."""
    place = tmp_path_factory.mktemp("examples")
    training, _, _ = read_digits()
    write_digits(
        place / "carries",
        shown=MISLEADING,
        label_logits=np.repeat(8 * np.eye(10)[MISLEADING], 5, axis=0).reshape(
            10, 5, 10
        ),
        # The recipe's own rate would not do.
        recipe={"epochs": 30, "batch_size": 16, "learning_rate": 1e-9, "loss": "soft"},
        student_rate=0.05,
        whitening=whitening_of(training.images),
    )
    train, test = "train_on_distilled.py", "--test=digits"
    write_digits(
        place / "epochs",
        shown=MISLEADING,
        epoch_labels=epoch_labels_of_digits(),
        recipe={"epochs": 30, "batch_size": 25, "learning_rate": 0.05}
        | {"labels": "epochs", "loss": "kl", "temperature": 2.0},
    )
    calls = {
        "tfds": [train, digits_set, "--epochs=20", "--width=32"],
        "carries": [train, place / "carries", "--reader=tfrecord", "--width=16", test],
        "epochs": [train, place / "epochs", "--width=16", test],
    }  # fmt: skip
    return dict(zip(calls, run_examples(calls.values(), place), strict=True))


@pytest.fixture(scope="module")
def printed_by_continual(digits_set, tmp_path_factory):
    """What continual learning prints."""
    call = ["continual_learning.py", f"--set={digits_set}", *CONTINUAL]
    (out,) = run_examples([call], tmp_path_factory.mktemp("continual"))
    return out


@pytest.fixture(scope="module")
def printed_by_search(digits_set, tmp_path_factory):
    """What the search for an architecture prints."""
    call = [
        "architecture_search.py", f"--set={digits_set.parent}", "--candidates=3",
        "--epochs=15", "--whole_epochs=1", "--seed=2",
    ]  # fmt: skip
    (out,) = run_examples([call], tmp_path_factory.mktemp("search"))
    return out


@pytest.mark.slow
def test_training_on_a_set_read_by_tfds(printed):
    out = printed["tfds"]
    assert "50 images of digits, 10 classes, read with tfds" in out
    # No test split was named.
    assert percentages(out).keys() == {"training accuracy"}
    assert percentages(out)["training accuracy"] > 90


@pytest.mark.slow
@pytest.mark.parametrize("name", ["carries", "epochs"])
def test_training_with_what_a_set_carries(printed, name):
    accuracy = percentages(printed[name])
    assert accuracy["training accuracy"] < 10
    # Chance is 10 %.
    assert accuracy["test accuracy on digits"] > 50
    if name == "carries":  # TensorFlow's own reader is enough.
        assert "read with tfrecord" in printed[name]


@pytest.mark.stress
def test_training_with_a_teacher(
    import_example, digits_teacher, monkeypatch, tmp_path, capsys
):
    write_digits(
        tmp_path / "set",
        shown=MISLEADING,
        # With both, the recipe says which.
        label_logits=np.zeros([10, 5, 10]),
        recipe={"labels": "teacher", "loss": "kl", "temperature": 2.0, "epochs": 60}
        | {"optimiser": "adamw", "learning_rate": 0.003},
        teacher=digits_teacher,
    )
    argv = ["train_on_distilled.py", str(tmp_path / "set"), "--width=16"]
    monkeypatch.setattr(sys, "argv", [*argv, "--test=digits"])
    import_example("train_on_distilled").main()
    accuracy = percentages(capsys.readouterr().out)
    assert accuracy["training accuracy"] < 20
    assert accuracy["test accuracy on digits"] > 50


@pytest.mark.slow
def test_training_in_pytorch(tmp_path):
    found = importlib.util.find_spec("torch")
    if found is None:
        pytest.skip("PyTorch is not installed")
    recipe = {"epochs": 30, "batch_size": 25, "learning_rate": 0.05}
    write_digits(
        tmp_path / "set",
        "npz",
        shown=MISLEADING,
        epoch_labels=epoch_labels_of_digits(),
        recipe=recipe | {"labels": "epochs", "loss": "kl", "temperature": 2.0},
    )
    _, test, _ = read_digits()
    np.savez(tmp_path / "test.npz", images=test.images, labels=test.labels)
    place = str(pathlib.Path(found.origin).parents[1])
    code = BLOCKED + f"sys.path.append({place!r})\nEND = {END!r}\n" + RUN
    # Neither is needed for labels that the set has.
    code += 'assert not {"tensorflow", "keras"} & sys.modules.keys()\n'
    program = str(EXAMPLES / "train_in_pytorch.py")
    words = [program, tmp_path / "set", "--width=16", f"--test={tmp_path / 'test.npz'}"]
    done = python(code, json.dumps([list(map(str, words))]), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    accuracy = percentages(done.stdout)
    assert accuracy["training accuracy"] < 10
    assert accuracy["test accuracy"] > 50


@pytest.fixture(scope="module")
def digits_teacher():
    """A network that has learnt some real digits."""
    import keras

    training, _, _ = read_digits()
    options = NetworkOptions(depth=3, width=8)
    network = build_with_options("convnet", (32, 32, 1), 10, options)
    keras.utils.set_random_seed(0)
    for variable, value in zip(
        network.model.trainable_variables,
        network.initial_weights(derive_key(0)),
        strict=True,
    ):
        variable.assign(value)
    logits = keras.Model(network.model.inputs, network.model.output["logits"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    logits.compile(keras.optimizers.Adam(3e-3), loss)
    images = (training.images[:400] / np.float32(255) - 0.3) / 0.35
    logits.fit(images, training.labels[:400], epochs=12, verbose=0)
    weights = [variable.numpy() for variable in network.model.trainable_variables]
    stored = TeacherNetwork("convnet", options, weights, [])
    return Teacher((stored,), (32, 32, 1), 10)


def test_losses_of_soft_labels(import_example):
    soft, recipe = import_example("soft_labels"), import_example("recipe").Recipe
    rng = np.random.default_rng(0)
    labels, logits = rng.normal(0, 3, [2, 4, 5]).astype(np.float32)

    def shares(values):
        return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)

    expected = -(shares(labels) * np.log(shares(logits))).sum(axis=1)
    found = soft.soft_loss(recipe())(labels, logits)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    wanted, given = shares(labels / 7), shares(logits / 7)
    np.testing.assert_allclose(
        soft.soft_loss(recipe(loss="kl", temperature=7.0))(labels, logits),
        (wanted * np.log(wanted / given)).sum(axis=1),
        rtol=1e-4,
        atol=1e-7,
    )


def test_pixels_are_read_as_floats_are(import_example, digits_set, tmp_path):
    # These digits are integers, so both encodings hold the same.
    png = write_digits(tmp_path / "png", "png")
    example = import_example("train_on_distilled")
    for read in (example.read_with_tfds, example.read_with_tfrecord):
        of_floats, of_pixels = (
            list(read(place).as_numpy_iterator()) for place in (digits_set, png)
        )
        assert len(of_floats) == len(of_pixels) == 50
        for (image, label), (pixels, same_label) in zip(
            of_floats, of_pixels, strict=True
        ):
            np.testing.assert_array_equal(pixels, image)
            assert pixels.dtype == np.uint8
            assert label == same_label


def test_the_example_tests_on_digits_that_the_set_is_not_made_from(import_example):
    example = import_example("train_on_distilled")
    pairs = list(example.read_digits_test_split().as_numpy_iterator())
    _, test, _ = read_digits()
    order = np.argsort(test.labels, kind="stable")
    np.testing.assert_array_equal([image for image, _ in pairs], test.images[order])
    np.testing.assert_array_equal([label for _, label in pairs], test.labels[order])


@pytest.fixture
def import_example(monkeypatch):
    """Imports an example by its name, as one example imports another."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


def arrivals():
    """Returns the classes that arrive at each of two steps, `[2, 5]`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        share_out = importlib.import_module("continual_learning").share_out
    return np.array(share_out(10, 2, seed=3))


def continual_table(out):
    """Returns the numbers of the table that continual_learning.py prints."""
    title, *lines = out.splitlines()
    assert title == "digits, 5 images a class in the memory; arriving:"
    said = [re.fullmatch(r"  step \d: (.+)", line)[1] for line in lines[:2]]
    # Class i is called by its digit.
    assert [step.split(", ") for step in said] == arrivals().astype(str).tolist()
    assert lines[3].split() == ["step", "classes", "images", "distilled", "random"]
    assert lines[6].startswith("mean ")
    table = [[float(cell) for cell in line.split()] for line in lines[4:6]]
    mean = [float(cell) for cell in lines[6].split()[1:]]
    np.testing.assert_allclose(mean, np.mean(table, axis=0)[3:], atol=0.11)
    return np.array(table)


@pytest.mark.stress
def test_continual_learning(printed_by_continual):
    table = continual_table(printed_by_continual)
    np.testing.assert_array_equal(table[:, :3], [[1, 5, 25], [2, 10, 50]])
    # Twice what guessing gets, with either memory, at each step.
    assert (table[:, 3:] > 2 * 100 / table[:, 1:2]).all()


@pytest.mark.stress
def test_classes_that_have_not_arrived_are_not_in_the_memory(
    printed_by_continual, tmp_path
):
    # What arrives in the last step shows the first step's digits.
    shown = list(range(10))
    for early, late in zip(*arrivals(), strict=True):
        shown[late] = early
    write_digits(tmp_path / "late", shown=shown)
    call = ["continual_learning.py", f"--set={tmp_path / 'late'}", *CONTINUAL]
    (late,) = run_examples([call], tmp_path)
    table, other = continual_table(printed_by_continual), continual_table(late)
    # The seed gives the very same networks until the images differ.
    np.testing.assert_array_equal(other[0], table[0])
    assert other[1, 3] < table[1, 3] - 5
    assert other[1, 4] == table[1, 4]


def test_classes_arrive_in_steps_of_nearly_the_same_size(import_example):
    share_out = import_example("continual_learning").share_out
    steps = share_out(10, 3, seed=0)
    assert [len(step) for step in steps] == [4, 3, 3]
    assert sorted(np.concatenate(steps)) == list(range(10))
    assert np.concatenate(share_out(10, 3, seed=1)).tolist() != [*np.concatenate(steps)]


@pytest.mark.stress
def test_architecture_search(printed_by_search):
    title, header, *lines = printed_by_search.splitlines()
    assert title == "digits, 5 images a class; accuracy in % that ranks"
    names = ["distilled", "random", "whole"]
    assert header.split()[1:] == names
    candidates = [line.split()[0] for line in lines[:3]]
    assert len(set(candidates)) == 3
    accuracies = [[float(cell) for cell in line.split()[1:]] for line in lines[:3]]
    columns = dict(zip(names, np.transpose(accuracies), strict=True))
    assert lines[3] == ""
    results = {line.split()[0]: line.split()[1:] for line in lines[5:]}
    assert list(results) == names
    of_choice = {}
    for name, (correlation, accuracy, seconds, choice) in results.items():
        ranks = columns[name].argsort().argsort()
        reference = columns["whole"].argsort().argsort()
        # No two candidates tie under this seed, so this is Spearman's coefficient.
        assert all(len(set(column)) == 3 for column in columns.values())
        expected = np.corrcoef(ranks, reference)[0, 1]
        assert float(correlation) == pytest.approx(expected, abs=0.006)
        assert choice == candidates[columns[name].argmax()]
        assert float(seconds) > 0
        # Two proxies with the same choice get the same network for it.
        assert of_choice.setdefault(choice, accuracy) == accuracy
    assert columns["distilled"].max() > 20


@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_examples_cut_out_what_a_stored_image_is_made_of(
    import_example, tmp_path, factor, decoded
):
    images = np.random.default_rng(0).uniform(-20, 280, (3, 2, 7, 6, 1))
    stored = DistilledSet.from_class_images(
        images,
        {**METADATA, "formation_factor": factor, "recipe": {"epochs": 7}},
        np.arange(18).reshape(3, 2, 3),
        student_rate=0.25,
        whitening=whitening_of(images.clip(0, 255)[0].astype(np.uint8)),
    )
    expected = decode_set(stored)
    write_distilled_set(tmp_path / "synthetic", expected if decoded else stored)
    found, ipc, metadata = import_example("distilled_data").read_distilled(tmp_path)
    assert ipc == 2 and metadata["label_names"] == ["a", "b", "c"]
    # Decoding keeps the classes together; reading a set as stored need not.
    order = np.argsort(found.labels, kind="stable")
    np.testing.assert_array_equal(found.labels[order], expected.labels)
    np.testing.assert_allclose(found.images[order], expected.images, atol=1e-4)
    by_class = found.take(order).label_logits
    np.testing.assert_array_equal(by_class, expected.label_logits)
    assert metadata["student_rate"] == 0.25 and metadata["recipe"] == {"epochs": 7}
    layer = import_example("preprocessing").preprocessing_layer(metadata)
    normalised = stored.normalisation.normalise(expected.images)
    np.testing.assert_allclose(layer(expected.images), normalised, atol=1e-4)


def test_examples_read_the_digits_that_runs_read(import_example):
    training, test = import_example("distilled_data").read_real(
        {"dataset": "digits", "source": {}}, None
    )
    expected_training, expected_test, _ = read_digits()
    for found, expected in ((training, expected_training), (test, expected_test)):
        np.testing.assert_array_equal(found.images, expected.images)
        np.testing.assert_array_equal(found.labels, expected.labels)


def test_examples_read_a_data_set_of_tfds(import_example, tmp_path):
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)
    rows = {
        split: [
            {"image": rng.integers(0, 256, (6, 6, 1), np.uint8), "label": index % 3}
            for index in range(count)
        ]
        for split, count in (("train", 12), ("validation", 6))
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        name="pictures",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(6, 6, 1)),
                "label": tfds.features.ClassLabel(num_classes=3),
            }
        ),
        split_datasets={name: list(enumerate(part)) for name, part in rows.items()},
        data_dir=tmp_path,
        disable_shuffling=True,
    )
    metadata = {**METADATA, "image_shape": [6, 6, 1]}
    parts = import_example("distilled_data").read_real(metadata, str(tmp_path))
    for part, expected in zip(parts, rows.values(), strict=True):
        images = [row["image"] for row in expected]
        np.testing.assert_array_equal(part.images, images)
        assert part.labels.tolist() == [row["label"] for row in expected]


@pytest.mark.parametrize(
    ("program", "flags", "message"),
    [
        ("continual_learning", ["--set=nowhere"], "no distilled set in nowhere: "),
        (
            "continual_learning",
            ["--steps=11"],
            "--steps=11 is more than the 10 ",
        ),
        ("continual_learning", ["--steps=0"], "'0' is not a whole number above 0"),
        ("architecture_search", ["--set=nowhere"], "no distilled set in nowhere: "),
        ("architecture_search", ["--candidates=2"], "--candidates=2 must be from 3 to"),
    ],
)
def test_bad_input_of_an_example_is_one_line(
    import_example, digits_set, monkeypatch, capsys, program, flags, message
):
    argv = [f"{program}.py", f"--set={digits_set}", *flags]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as stopped:
        import_example(program).main()
    assert stopped.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"{program}.py: ") and message in last


def test_a_run_is_given_as_what_its_networks_train_on(
    import_example, digits_set, tmp_path
):
    example = import_example("train_on_distilled")
    assert example.find_training_set(digits_set.parent)[0] == digits_set
    stored = DistilledSet.from_class_images(
        np.zeros((3, 2, 8, 8, 1), np.float32), {**METADATA, "formation_factor": 2}
    )
    write_distilled_set(tmp_path / "synthetic", stored)
    write_distilled_set(tmp_path / "synthetic_decoded", decode_set(stored))
    place, metadata = example.find_training_set(tmp_path)
    assert place == tmp_path / "synthetic_decoded"
    assert metadata["num_images"] == 24


@pytest.mark.parametrize("reader", ["tfds", "tfrecord"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no set", "no distilled set in "),
        ("no text", " is damaged: "),
        ("no object", " is damaged: "),
        ("no keys", " is damaged: "),
        ("cut records", " is damaged: "),
        ("fewer images", " is damaged: "),
        ("no records", " is damaged: "),
        ("npz", "holds no TFRecords, but npz"),
        ("grids", "each image in "),
    ],
)
def test_sets_that_the_example_cannot_train_on(
    import_example, monkeypatch, tmp_path, capsys, damage, message, reader
):
    metadata = {**METADATA, "formation_factor": 2 if damage == "grids" else 1}
    stored = DistilledSet.from_class_images(
        np.zeros((3, 2, 8, 8, 1), np.float32), metadata
    )
    place = tmp_path / "synthetic"
    if damage != "no set":
        encoding = "npz" if damage == "npz" else "float32"
        write_distilled_set(place, stored, encoding)
    description = place / "hdd_tf.json"
    if damage in (texts := {"no text": "{", "no object": "[]", "no keys": "{}"}):
        description.write_text(texts[damage])
    if damage == "fewer images":
        said = json.loads(description.read_text())
        description.write_text(json.dumps({**said, "num_images": 7}))
    for records in place.glob("*.tfrecord-*"):
        if damage == "cut records":
            records.write_bytes(records.read_bytes()[:-3])
        if damage == "no records":
            records.unlink()
    monkeypatch.setattr(
        sys, "argv", ["train_on_distilled.py", str(tmp_path), f"--reader={reader}"]
    )
    with pytest.raises(SystemExit) as stopped:
        import_example("train_on_distilled").main()
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"dataset": "folder:pets"}, "TFDS does not know"),
        ({"dataset": "mnist"}, "mnist is not in "),
        ({"source": {"classes": ["0"]}}, "--classes or --image_size"),
    ],
)
def test_real_images_that_examples_cannot_read(
    import_example, tmp_path, capsys, metadata, message
):
    with pytest.raises(SystemExit) as stopped:
        import_example("distilled_data").read_real(
            {**METADATA, **metadata}, str(tmp_path)
        )
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
