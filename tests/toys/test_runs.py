"""Whole runs of toys whose sets hold more than images and classes.

From the run through its export in several encodings to a process without hdd_tf, and
back into the evaluation of the files.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.api import distilling as api
from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set, write_distilled_set
from hdd_tf.errors import InputError
from hdd_tf.evaluation.rescore import rescore
from hdd_tf.exporting.sets import set_of_checkpoint, set_of_run
from hdd_tf.protocols.published import PROTOCOLS
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.reading import whitening
from hdd_tf.running.experiments import run_experiments

# Among the first to start, see conftest.py.
pytestmark = pytest.mark.slow

SMALL = [
    "--dataset=digits", "--image_size=16", "--classes=0,1,2", "--ipc=2", "--depth=1",
    "--width=4", "--real_batch=20", "--iterations=4", "--steps_per_call=2",
    "--image_lr=0.1", "--dsa=flip", "--num_eval=1", "--eval_epochs=5",
    "--eval_dsa=none", "--noprogress", "--strategy=one_device", "--noanalysis",
]  # fmt: skip
ELSEWHERE = """
import json, os, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hdd_tf":
            raise ModuleNotFoundError("hdd_tf is blocked")

sys.meta_path.insert(0, Block())
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

place = sys.argv[1]
with open(os.path.join(place, "hdd_tf.json")) as file:
    metadata = json.load(file)
dataset = tfds.builder_from_directory(place).as_dataset(split="train")
examples = list(tfds.as_numpy(dataset))
found = {key: np.stack([e[key] for e in examples]) for key in examples[0]}
found["recipe"] = json.dumps(metadata["recipe"])
if "whitening" in metadata:
    with np.load(os.path.join(place, "whitening.npz")) as arrays:
        mean, vectors, values = (arrays[k] for k in ("mean", "vectors", "values"))
    x = found["image"].reshape(len(examples), -1) / 255 - mean
    scales = np.sqrt(values + metadata["whitening"]["epsilon"])
    found["whitened"] = x @ vectors / scales @ vectors.T
if "student_rate" in metadata:
    found["student_rate"] = metadata["student_rate"]
if "teacher" in metadata:
    teacher = tf.saved_model.load(os.path.join(place, "teacher"))
    found["teacher_logits"] = teacher(tf.constant(found["image"]))["logits"].numpy()
np.savez(sys.argv[2], **found)
"""


def soft_protocol(config, dataset, epochs):
    return TrainingProtocol(
        epochs or config.eval_epochs or 30, 16, 0.01, loss="soft", labels="stored",
        learnt_rate=True,
    )  # fmt: skip


def teacher_protocol(config, dataset, epochs):
    return TrainingProtocol(
        epochs or config.eval_epochs or 30, 16, 0.002, weight_decay=0.01, loss="kl",
        labels="teacher", temperature=20.0, optimiser="adamw", schedule="cosine",
        period=60.0, decay_kernels_only=True, cutmix=1.0, resized_crop=0.5, flip=True,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def protocols(monkeypatch):
    monkeypatch.setitem(PROTOCOLS, "toy_soft", soft_protocol)
    monkeypatch.setitem(PROTOCOLS, "toy_teacher", teacher_protocol)


def run(place, *arguments):
    words = [*SMALL, *arguments, f"--run_dir={place}"]
    return run_experiments(parse_command_line(["test", *words]))


def read_elsewhere(place, tmp_path):
    """What a process finds in a set that cannot import hdd_tf."""
    output = tmp_path / "found.npz"
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(place), str(output)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with np.load(output, allow_pickle=False) as found:
        return dict(found)


def test_learnt_labels_and_rate_reach_files_readers_and_scores(tmp_path, capsys):
    place = tmp_path / "run"
    result = run(place, "--objective=toy_labels", "--baselines=random")
    stored = read_distilled_set(place)
    assert result["geometry"] == stored.metadata["geometry"] == "none"
    assert stored.label_logits.shape == (6, 3)
    # Learnt: not what they were at the start.
    start = 2.0 * np.eye(3, dtype=np.float32)[stored.labels]
    assert np.abs(stored.label_logits - start).max() > 1e-4
    assert stored.student_rate not in (0.05, None)
    # Real images have no such labels: classes were learnt there.
    assert set(result["baselines"]) == {"random"}
    assert result["protocol"]["labels"] == "stored"

    # A checkpoint gives the same set as the run did.
    exported = set_of_run(place)
    np.testing.assert_array_equal(exported.images, stored.images)
    np.testing.assert_array_equal(exported.label_logits, stored.label_logits)
    assert exported.student_rate == pytest.approx(stored.student_rate)
    assert exported.metadata["recipe"] == stored.metadata["recipe"]
    found = read_elsewhere(place / "synthetic", tmp_path)
    np.testing.assert_array_equal(found["label_logits"], stored.label_logits)
    assert float(found["student_rate"]) == pytest.approx(stored.student_rate)
    assert json.loads(str(found["recipe"]))["loss"] == "soft"
    # The images were learnt in whitened space, and come back to it.
    learnt = tf.train.load_checkpoint(str(place / "checkpoints/iteration-4"))
    learnt = learnt.get_tensor("synthetic_set/images/.ATTRIBUTES/VARIABLE_VALUE")
    whitened = found["whitened"].reshape(learnt.shape)
    np.testing.assert_allclose(whitened, learnt, atol=1e-3 * np.abs(learnt).max())
    assert np.abs(learnt.mean(axis=(1, 2, 3, 4))).max() < 1

    # Whitened images are never taken for pixels.
    (place / "whitening.npz").unlink()
    with pytest.raises(InputError, match="repeat the run's command"):
        set_of_run(place)
    run(place, "--objective=toy_labels", "--baselines=random")
    np.testing.assert_array_equal(set_of_run(place).images, stored.images)

    # The files alone are scored as the run was, in another encoding too.
    write_distilled_set(tmp_path / "npz", exported, "npz")
    table = rescore(str(tmp_path / "npz"), ["--baselines=none", "--noprogress"])
    assert f"{result['accuracy']['convnet']['mean']:.2f} ±" in table
    assert "networks learn the set's soft labels: do not compare" in table

    # Goes on where it was stopped, from labels and rate as they were.
    run(place, "--objective=toy_labels", "--baselines=random", "--iterations=5")
    assert "goes on from iteration 4" in capsys.readouterr().out
    later = read_distilled_set(place)
    assert 0 < np.abs(later.label_logits - stored.label_logits).max() < 0.5


@pytest.mark.stress
def test_a_selection_brings_images_and_a_teacher(tmp_path):
    place = tmp_path / "run"
    result = run(place, "--objective=toy_stitched")
    stored = read_distilled_set(place)
    # What the images are worth without their teacher.
    assert list(result["baselines"]) == ["hard_labels"]
    assert result["iterations"] == 0 and stored.images.shape == (6, 16, 16, 1)
    assert stored.metadata["selected"] == "stitched real images"
    assert not (place / "checkpoints").exists()
    found = read_elsewhere(place / "synthetic", tmp_path)
    normalised = stored.normalisation.normalise(stored.images)
    expected = stored.teacher.logits_function()(normalised).numpy()
    np.testing.assert_allclose(found["teacher_logits"], expected, atol=1e-4)
    table = rescore(str(place), ["--baselines=none", "--noprogress"])
    assert f"{result['accuracy']['convnet']['mean']:.2f} ±" in table
    np.testing.assert_array_equal(set_of_run(place).images, stored.images)


@pytest.mark.stress
def test_the_best_on_validation_has_its_labels_and_rate(tmp_path):
    place = tmp_path / "run"
    result = run(
        place, "--objective=toy_labels", "--select=best_validation", "--eval_every=2",
        "--validation_fraction=0.2", "--best_on_test", "--eval_epochs=2",
    )  # fmt: skip
    chosen = result["selected"]["iteration"]
    at_that_time = set_of_checkpoint(place / f"checkpoints/iteration-{chosen}")
    for made in (
        read_distilled_set(place),
        read_distilled_set(place / f"candidates/iteration_{chosen:06d}"),
    ):
        for name in ("images", "label_logits"):
            expected = getattr(at_that_time, name)
            np.testing.assert_array_equal(getattr(made, name), expected)
        assert made.student_rate == pytest.approx(at_that_time.student_rate)
        assert made.whitening is not None
    assert result["best_on_test"]["candidates"] == 2


def test_whitening_that_cannot_be_is_refused(tmp_path, monkeypatch):
    words = ["test", *SMALL, "--objective=toy_labels", f"--run_dir={tmp_path / 'run'}"]
    with pytest.raises(InputError, match="whitens them whole: leave it at 1"):
        parse_command_line([*words, "--formation_factor=2"])
    monkeypatch.setattr(whitening, "available_memory", lambda: 10**5)
    with pytest.raises(InputError, match="give a smaller --image_size"):
        run_experiments(parse_command_line(words))
    assert not (tmp_path / "run").exists()


def test_arrays_are_whitened_where_a_method_takes_them_so(monkeypatch):
    contexts, build_step = [], api.build_step

    def build(context, **how):
        contexts.append(context)
        return build_step(context, **how)

    monkeypatch.setattr(api, "build_step", build)
    labels = np.repeat(np.arange(2), 8)
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype(np.uint8)
    made, _ = api.distill(
        images, labels, objective="toy_labels", ipc=1, depth=1, width=4, iterations=1,
        image_lr=1e-3, strategy="one_device", progress=False,
    )  # fmt: skip
    assert contexts[0].dataset.whitening is not None
    # They come back as pixels: hardly moved from real ones.
    distances = np.abs(made[:, None] - images[None]).max(axis=(2, 3, 4)).min(axis=1)
    assert distances.max() < 1
