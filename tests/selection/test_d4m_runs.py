"""D4M as a run: what it makes, scores and refuses; and in whole, with its networks."""

import dataclasses
import signal

import numpy as np
import pytest
import tensorflow as tf

import hdd_tf
from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.config import Config
from hdd_tf.distillation.method import Work
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.files.json_text import to_plain
from hdd_tf.networks.registry import build_network
from hdd_tf.protocols.published import evaluation_protocol, sets_beside
from hdd_tf.running.experiments import run_experiments
from hdd_tf.selection.d4m import generation
from hdd_tf.selection.d4m.generation import PrototypeGeneration
from hdd_tf.selection.d4m.model import LatentDiffusion
from hdd_tf.selection.d4m.noise import ddim_times
from hdd_tf.selection.d4m.trainer import GenerativeTrainer
from tests.blobs import blobs

WORDS = [
    "main", "--dataset=digits", "--image_size=8", "--objective=d4m", "--ipc=2",
    "--width=4", "--depth=1", "--num_eval=1", "--eval_epochs=2", "--noanalysis",
    "--noprogress", "--strategy=one_device", "--d4m_teacher_epochs=1",
    "--geometry=euclidean",
]  # fmt: skip


class PlainModel(LatentDiffusion):
    """Latents are pixels in [0, 1], and noise makes them darker."""

    def __init__(self, config, dataset, max_images):
        self.latent_shape = dataset.image_shape
        self.dataset = dataset

    def prepare(self, generates, dry_run):
        self.generates = generates

    def stages(self, count, generates):
        return [Work("model", f"{count} images", 1.0)]

    def sample(self, rows, key):
        return self.dataset.training.images[rows].astype(np.float32) / 255

    def generate(self, prototypes, labels, seed, on_step):
        assert self.generates
        on_step(1)
        return prototypes / 2

    def decode(self, latents):
        return np.rint(255 * latents).astype(np.uint8)

    def blocks(self, count):
        return 1


@pytest.fixture(scope="module")
def experts(tmp_path_factory):
    return tmp_path_factory.mktemp("experts")


@pytest.fixture
def run(experts, monkeypatch):
    monkeypatch.setattr(generation, "model_of", PlainModel)

    def start(place, *words):
        config = parse_command_line(
            [*WORDS, f"--expert_dir={experts}", f"--run_dir={place}", *words]
        )
        return to_plain(run_experiments(config))

    return start


@pytest.mark.slow
def test_a_run_scores_its_prototypes_and_random_images_by_its_teacher(
    run, tmp_path, capsys
):
    result = run(tmp_path / "run")
    assert set(result["baselines"]) == {"random", "prototypes", "hard_labels"}
    assert result["protocol"]["baseline_labels"] == "teacher"
    printed = capsys.readouterr().out
    assert "decoded prototypes" in printed and "d4m in euclidean geometry" in printed
    stored = read_distilled_set(tmp_path / "run")
    assert stored.teacher is not None and stored.images.shape == (20, 8, 8, 1)
    np.testing.assert_array_equal(stored.labels, np.repeat(np.arange(10), 2))
    prototypes = stored.beside["prototypes"]
    np.testing.assert_allclose(stored.images, prototypes / 2, atol=1)
    assert stored.metadata["selected"].startswith("images generated")
    # Nothing is asked twice of a finished run.
    assert run(tmp_path / "run") == result
    # Test images alone are enough for what needs no real training images.
    digits = stored.images.clip(0, 255).astype(np.uint8), stored.labels
    settings = {"num_eval": 1, "eval_epochs": 1, "progress": False}
    score = hdd_tf.evaluate(tmp_path / "run", test=digits, **settings)
    assert set(score.baselines) == {"prototypes", "hard_labels"}


def test_a_run_that_stopped_in_any_stage_makes_the_same_set(tmp_path, monkeypatch):
    """Trainings that stop: test_d4m_models.py and tests/training/test_experts.py."""
    network = build_network("convnet", (8, 8, 1), 2, 1, 4)
    data, about = blobs(), {"objective": "d4m", "geometry": "none", "source": {}}
    about |= {"dataset": "blobs", "label_names": ["a", "b"], "mean": [0.5]}

    def made():
        config = Config(
            dataset="arrays", objective="d4m", geometry="euclidean", ipc=2, depth=1,
            width=4, progress=False, expert_dir=str(tmp_path), d4m_teacher_epochs=1,
        )  # fmt: skip
        strategy = tf.distribute.get_strategy()
        context = MethodContext(config, data, network, strategy)
        method = PrototypeGeneration(context, PlainModel(config, data, 9))
        method.train_ahead()
        return method.result({**about, "std": [0.25]})

    def refuse(*_):
        raise InterruptedRunError(signal.SIGTERM)

    whole = made()
    for stage in ("prepare", "sample", "generate", "decode"):
        with monkeypatch.context() as patch, pytest.raises(InterruptedRunError):
            patch.setattr(PlainModel, stage, refuse)
            made()
        again = made()
        np.testing.assert_array_equal(again.images, whole.images)
        np.testing.assert_array_equal(
            again.beside["prototypes"], whole.beside["prototypes"]
        )
        (mine,), (other,) = (each.teacher.networks for each in (again, whole))
        for found, expected in zip(mine.weights, other.weights, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.stress
def test_no_strength_is_the_prototypes_and_geometry_moves_them(run, tmp_path):
    first = ["--num_eval=0", "--d4m_strength=0"]
    run(tmp_path / "plain", *first)
    run(tmp_path / "twin", *first, "--geometry=hyperbolic")
    plain, twin = (read_distilled_set(tmp_path / name) for name in ("plain", "twin"))
    assert plain.beside is None
    means = plain.images.reshape(10, 2, -1).mean(axis=1)
    others = twin.images.reshape(10, 2, -1).mean(axis=1)
    distance = np.linalg.norm(means[:, None] - others, axis=-1)
    assert (distance.argmin(axis=1) == np.arange(10)).all()
    assert np.abs(plain.images - twin.images).max() > 1


@pytest.mark.slow
def test_dry_run_and_refusals_write_nothing(run, tmp_path, capsys):
    run(tmp_path / "run", "--dry_run")
    printed = capsys.readouterr().out
    assert "20 images are made by d4m" in printed and "teacher" in printed
    assert "prototypes " in printed and "model               20 images" in printed
    for word in ("--ipc=5000", "--dry_run"):
        with pytest.raises(InputError, match="--ipc=5000 is more than the smallest"):
            run(tmp_path / "run", "--ipc=5000", word)
    assert not list(tmp_path.iterdir())


def test_what_is_scored_beside_follows_the_strength():
    config = Config(dataset="cifar10", objective="d4m", baselines=("whole", "random"))
    assert sets_beside(config) == ("random", "whole", "prototypes", "hard_labels")
    # As many steps as the sampling takes, whatever rounding makes of the strength.
    for strength in np.arange(0, 1.01, 0.04):
        asked = dataclasses.replace(config, d4m_strength=float(strength))
        taken = ddim_times(asked.d4m_steps, asked.d4m_strength)
        assert ("prototypes" in sets_beside(asked)) == bool(taken)
    weak = dataclasses.replace(config, d4m_strength=0.01, baselines=())
    assert sets_beside(weak) == ("random", "hard_labels")
    hard = dataclasses.replace(weak, eval_protocol="dm")
    assert sets_beside(hard) == ("random",)


def test_students_train_as_dd_rankings_evaluator_does():
    protocol = evaluation_protocol(
        Config(dataset="cifar10", objective="d4m"), "cifar10"
    )
    assert protocol.describe() == {
        "epochs": 500, "batch_size": 100, "learning_rate": 0.01, "momentum": 0.9,
        "weight_decay": 0.01, "drop_epochs": (), "drop_factor": 0.1,
        "reset_velocity": True, "augmentations": (), "always": (), "cutmix": 1.0,
        "optimiser": "adamw", "schedule": "cosine", "period": 500, "loss": "kl",
        "labels": "teacher", "temperature": 20.0, "resized_crop": 0.08, "flip": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "words",
    ["width=12", "strength=1.1", "strength=-1", "steps=501", "model_size=20",
     "updates=0", "guidance=-1"],
)  # fmt: skip
def test_settings_out_of_range_are_refused(words):
    with pytest.raises(InputError, match=f"--d4m_{words.split('=')[0]}"):
        parse_command_line([*WORDS, f"--d4m_{words}"])


@pytest.mark.stress
def test_a_whole_run_that_is_stopped_makes_the_same_images(tmp_path, monkeypatch):
    """With autoencoder and U-Net of few channels, stopped in both trainings."""

    def start(name, experts, *words):
        small = [
            "--image_size=20", "--num_eval=0", "--d4m_width=8", "--d4m_updates=3",
            "--d4m_autoencoder_width=8", "--d4m_autoencoder_epochs=1",
            "--d4m_batch=500", "--d4m_steps=4",
        ]  # fmt: skip
        where = [f"--expert_dir={tmp_path / experts}", f"--run_dir={tmp_path / name}"]
        run_experiments(parse_command_line([*WORDS, *small, *where, *words]))
        return read_distilled_set(tmp_path / name)

    whole = start("whole", "experts")
    stops = []
    update = GenerativeTrainer.snapshot

    def train(self, key, on_epochs=None, resume=None, on_call=None):
        def stop():
            if not (resume and resume.updates):
                stops.append(update(self).updates)
                raise InterruptedRunError(signal.SIGTERM)

        return original(self, key, on_epochs, resume, stop)

    original = GenerativeTrainer.train
    with monkeypatch.context() as patch:
        patch.setattr(GenerativeTrainer, "train", train)
        for _ in range(2):
            with pytest.raises(InterruptedRunError):
                start("again", "others")
        again = start("again", "others")
    assert stops == [1, 1]
    np.testing.assert_array_equal(again.images, whole.images)
    np.testing.assert_array_equal(
        again.beside["prototypes"], whole.beside["prototypes"]
    )
    assert np.abs(whole.images - whole.beside["prototypes"]).max() > 0
    # Blocks of a few images give the same up to rounding.
    blocks = start("blocks", "experts", "--max_images_per_forward=6")
    np.testing.assert_allclose(blocks.images, whole.images, atol=1)
    assert tf.reduce_mean(tf.cast(blocks.images != whole.images, tf.float32)) < 0.01
