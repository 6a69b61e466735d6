"""Settings of Keras from outside change nothing, and are kept for the caller."""

import os
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest

import hdd_tf
from hdd_tf import keras_settings
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.exporting.installation import check_installation
from hdd_tf.keras_settings import import_keras, own_settings
from hdd_tf.main import main
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options

OWN = ("float32", 1e-7, "channels_last", "float32")
FOREIGN = ("float16", 0.25, "channels_first", "mixed_float16")


def settings():
    return (
        keras.config.floatx(),
        keras.config.epsilon(),
        keras.config.image_data_format(),
        keras.config.dtype_policy().name,
    )


def give(floatx, epsilon, data_format, policy):
    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(data_format)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def foreign():
    """A program that has set everything that Keras lets it set."""
    before = settings()
    give(*FOREIGN)
    yield
    give(*before)


def test_the_callers_settings_are_back_afterwards(foreign):
    with own_settings():
        assert settings() == OWN
        with own_settings():
            assert settings() == OWN
        assert settings() == OWN
    assert settings() == FOREIGN
    with pytest.raises(ZeroDivisionError), own_settings():
        _ = 1 / 0
    assert settings() == FOREIGN


def test_the_last_of_several_threads_gives_the_settings_back(foreign):
    inside, leave, seen = threading.Event(), threading.Event(), []

    def work():
        with own_settings():
            inside.set()
            leave.wait(30)
            seen.append(settings())

    thread = threading.Thread(target=work)
    with own_settings():
        thread.start()
        assert inside.wait(30)
    # This thread has left, and the other still works.
    assert settings()[:3] == OWN[:3]
    leave.set()
    thread.join()
    assert seen == [OWN]
    assert settings() == FOREIGN


@pytest.mark.parametrize(
    ("name", "norm", "shape"),
    [("convnet", "instance", (16, 16, 3)), ("convnet", "layer", (16, 16, 3)),
     ("lenet", "none", (28, 28, 1)), ("convnet", "group", (16, 16, 1))],
)  # fmt: skip
def test_a_network_is_the_same_one(name, norm, shape, request):
    options = NetworkOptions(2, 8, norm, "relu", "average")
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)

    def built():
        network = build_with_options(name, shape, 3, options)
        weights = network.initial_weights(np.array([1, 2], np.int32))
        return network.weight_shapes, network.logits(weights, images).numpy()

    shapes, logits = built()
    request.getfixturevalue("foreign")
    assert built()[0] == shapes
    np.testing.assert_array_equal(built()[1], logits)


def test_losses_do_not_round_features_to_16_bits(foreign):
    rng = np.random.default_rng(0)
    real, synthetic = (rng.normal(size=(3, 5, 4)).astype(np.float32) for _ in range(2))
    for loss in (hdd_tf.losses.GeodesicCentroidLoss, hdd_tf.losses.MeanFeatureLoss):
        found = loss()(real, synthetic)
        np.testing.assert_array_equal(found, loss(dtype="float32")(real, synthetic))
        assert found.dtype == "float32"


def test_every_call_of_the_interface_works_with_its_own_settings(foreign, monkeypatch):
    seen = []

    def stop(*args, **kwargs):
        seen.append(settings())
        raise InputError("seen")

    for place in (
        *("distilling.load_configured_dataset", "evaluating.checked_pair"),
        *("sets.check_kind", "results.checked_target"),
    ):
        monkeypatch.setattr(f"hdd_tf.api.{place}", stop)
    result = hdd_tf.DistillationResult(None, None, {}, {})
    for call in (
        *(lambda: hdd_tf.distill(dataset="digits"), lambda: hdd_tf.evaluate(7)),
        *(lambda: hdd_tf.load("x"), lambda: hdd_tf.export("x", "y")),
        lambda: result.save("x"),
    ):
        with pytest.raises(InputError, match="seen"):
            call()
        assert settings() == FOREIGN
    assert seen == [OWN] * 5


@pytest.mark.stress
def test_distilling_and_evaluating_give_the_same_bits(request):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
    labels = np.arange(8) % 2

    def call():
        result = hdd_tf.distill(
            *(images, labels, 1), iterations=1, depth=1, width=4, norm="layer",
            real_batch=4, progress=False,
        )  # fmt: skip
        scored = {"num_eval": 1, "eval_epochs": 1, "progress": False}
        score = hdd_tf.evaluate(result, test=(images, labels), **scored)
        return result.images, score.values

    pixels, values = call()
    request.getfixturevalue("foreign")
    again, values_again = call()
    np.testing.assert_array_equal(again, pixels)
    assert values_again == values
    assert settings() == FOREIGN


def test_a_command_has_its_own_settings(foreign, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    import_quietly()
    assert settings() == OWN
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert "TF_USE_LEGACY_KERAS" not in os.environ


def test_another_backend_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(InputError, match=r"^Keras computes with jax here.*KERAS_BACK"):
        import_keras()


def test_what_stops_the_import_of_keras_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("KERAS_HOME", "/some\nwhere")
    with pytest.raises(InputError) as caught:
        import_keras()
    said = str(caught.value)
    assert "KERAS_BACKEND=tensorflow" in said and "/some where/keras.json" in said
    # With the right backend it is no matter of settings.
    monkeypatch.setenv("KERAS_BACKEND", keras_settings._BACKEND)
    with pytest.raises(ImportError):
        import_keras()


@pytest.mark.slow
def test_a_process_with_foreign_settings(tmp_path):
    (tmp_path / "keras.json").write_text(
        '{"floatx": "float16", "image_data_format": "channels_first", '
        '"backend": "torch", "epsilon": 0.25}'
    )
    # TensorBoard's hyperparameters import the Keras that TF_USE_LEGACY_KERAS asks for.
    code = (
        "from hdd_tf.cli.tensorflow_import import import_quietly; import_quietly();"
        "import hdd_tf.artifacts.summaries, hdd_tf.networks.registry, keras;"
        "c = keras.config; print(c.floatx(), c.image_data_format(), c.backend())"
    )
    foreign = {"KERAS_HOME": str(tmp_path), "TF_USE_LEGACY_KERAS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **foreign}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "float32 channels_last tensorflow\n"


def test_a_damaged_keras_json_is_one_line(monkeypatch, capsys):
    def fail():
        raise InputError("Keras cannot be imported")

    monkeypatch.setattr("hdd_tf.cli.tensorflow_import.choose_for_command", fail)
    assert main(["hdd-tf", "--dataset=digits", "--run_dir=never"]) == 2
    assert capsys.readouterr().err == "hdd_tf: Keras cannot be imported\n"


def test_a_backend_that_matplotlib_does_not_know_is_one_line(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "no such")
    keras_settings.check_drawing()  # It is imported, and has a backend.
    monkeypatch.delitem(sys.modules, "matplotlib")
    for work in (
        lambda: hdd_tf.__getattr__("distill"),  # As at its first use.
        lambda: hdd_tf.__getattr__("layers"),
        lambda: check_installation(Config(dataset="digits")),
    ):
        with pytest.raises(InputError, match="MPLBACKEND=no such names no backend of"):
            work()
