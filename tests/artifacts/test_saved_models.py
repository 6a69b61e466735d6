"""SavedModels as other programs load them: without hdd_tf, and by saved_model_cli."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.analysis.encoder import HyperbolicEncoder
from hdd_tf.artifacts.saved_models import Classifier, is_replaceable, save_model
from hdd_tf.data.normalisation import Normalisation, whitening_of
from hdd_tf.errors import InputError
from hdd_tf.files import checksums
from hdd_tf.networks.registry import build_network
from hdd_tf.random_keys import derive_key

SHAPE, MEAN, STD = (8, 10, 3), (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
NORMALISATION = Normalisation(MEAN, STD)
PROGRAM = """
import sys
import numpy as np
import tensorflow as tf
place, images, results = sys.argv[1:]
images = np.load(images)
found = {}
for name in ("encoder", "classifier"):
    model = tf.saved_model.load(f"{place}/{name}")
    for number in (1, 5):  # Any size of batch.
        outputs = model(images[:number])
        assert all(len(value) == number for value in outputs.values())
    floats = model.signatures["serving_float"](images=images.astype("float32"))
    bytes_ = model.signatures["serving_default"](images=images)
    for key, value in outputs.items():
        np.testing.assert_array_equal(value, floats[key])
        np.testing.assert_array_equal(value, bytes_[key])
        found[f"{name}_{key}"] = value
assert not [name for name in sys.modules if name.split(".")[0] in ("hdd_tf", "export")]
np.savez(results, **found)
"""


def modules():
    network = build_network("convnet", SHAPE, 4, depth=1, width=4)
    batch = build_network("convnet_batch", SHAPE, 4, depth=1, width=4)
    weights, state = batch.initial_variables(derive_key(2))
    # Statistics that are none of the initial ones.
    state = [tensor + 0.5 if tensor.dtype == tf.float32 else tensor for tensor in state]
    encoder = HyperbolicEncoder(
        network, network.initial_weights(derive_key(1)), NORMALISATION, -0.02, 3.0
    )
    return encoder, Classifier(batch, weights, state, NORMALISATION), batch


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    place = tmp_path_factory.mktemp("saved")
    encoder, classifier, _ = modules()
    save_model(place / "encoder", encoder, {"curvature": encoder.curvature})
    save_model(place / "classifier", classifier, {"label_names": list("abcd")})
    images = np.random.default_rng(0).integers(0, 256, [5, *SHAPE]).astype(np.uint8)
    np.save(place / "images.npy", images)
    return place, images


@pytest.mark.slow
def test_a_process_without_hdd_tf_gets_the_same_values(saved, tmp_path):
    place, images = saved
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, place, place / "images.npy",
         tmp_path / "found.npz"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    encoder, classifier, network = modules()
    with np.load(tmp_path / "found.npz") as found:
        for module, names in (
            (encoder, {"features", "klein", "lorentz", "poincare", "radius"}),
            (classifier, {"logits", "probabilities", "label"}),
        ):
            outputs = module(images)
            assert set(outputs) == names
            for name, value in outputs.items():
                mine = found[f"{module.name.split('_')[-1]}_{name}"]
                np.testing.assert_allclose(mine, value, rtol=1e-5, atol=1e-6)
        # And those are the network's own.
        normalised = (images.astype(np.float32) / 255 - MEAN) / STD
        logits = network.logits(
            [tf.convert_to_tensor(w) for w in classifier.weights],
            tf.constant(normalised, tf.float32),
            [tf.convert_to_tensor(s) for s in classifier.state],
        )
        np.testing.assert_allclose(
            found["classifier_logits"], logits, rtol=1e-4, atol=1e-5
        )
        np.testing.assert_array_equal(
            found["classifier_label"], np.argmax(logits, axis=-1)
        )


def test_what_is_saved_has_no_pieces_that_xla_must_compile(tmp_path):
    shape = (32, 32, 1)
    network = build_network("convnet", shape, 2, depth=1, width=32)
    weights = network.initial_weights(derive_key(1))
    encoder = HyperbolicEncoder(
        network, weights, Normalisation((0.4,), (0.2,)), -0.02, 3.0
    )
    save_model(tmp_path / "encoder", encoder, {})
    graph = (tmp_path / "encoder" / "saved_model.pb").read_bytes()

    # The network has such pieces where it is not saved.
    called = tf.function(lambda images: network.features(weights, images))
    traced = called.get_concrete_function(tf.TensorSpec([None, *shape]))
    attribute = b"_XlaMustCompile\x12\x02(\x01"
    assert attribute in traced.graph.as_graph_def().SerializeToString()
    assert attribute not in graph


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.stress)
        for name in ("encoder", "classifier")
    ],
)
def test_saved_model_cli_runs_it(name, saved, tmp_path):
    place, images = saved
    done = subprocess.run(
        [pathlib.Path(sys.executable).parent / "saved_model_cli", "run",
         "--dir", place / name, "--tag_set", "serve",
         "--signature_def", "serving_default",
         "--inputs", f"images={place / 'images.npy'}", "--outdir", tmp_path],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    encoder, classifier, _ = modules()
    expected = (encoder if name == "encoder" else classifier)(images)
    for output, value in expected.items():
        found = np.load(tmp_path / f"{output}.npy")
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


def test_a_classifier_whitens_inside(saved, tmp_path):
    _, images = saved
    whitening = whitening_of(np.concatenate([images, images[:, ::-1]]))
    normalisation = Normalisation(MEAN, STD, whitening)
    _, plain, network = modules()
    whitened = Classifier(network, plain.weights, plain.state, normalisation)
    save_model(tmp_path / "model", whitened, {})
    found = tf.saved_model.load(str(tmp_path / "model"))(images)["logits"]
    logits = network.logits(
        [tf.convert_to_tensor(w) for w in plain.weights],
        tf.constant(normalisation.normalise(images)),
        [tf.convert_to_tensor(s) for s in plain.state],
    )
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-5)
    assert np.abs(found - plain(images)["logits"]).max() > 0.01


def test_metadata_says_what_it_is_and_sums_its_files(saved):
    place, _ = saved
    metadata = json.loads((place / "classifier/hdd_tf.json").read_text())
    assert checksums.is_sealed(metadata)
    assert metadata["label_names"] == list("abcd")
    assert metadata["image_shape"] == list(SHAPE)
    assert "saved_model.pb" in metadata["files"]
    checksums.verify_files(place / "classifier", metadata["files"])


def test_a_saved_model_is_replaced_and_nothing_else_is(saved, tmp_path):
    encoder, _, _ = modules()
    place = tmp_path / "model"
    for curvature in (-1.0, -2.0):
        save_model(place, encoder, {"curvature": curvature})
    assert json.loads((place / "hdd_tf.json").read_text())["curvature"] == -2.0
    assert is_replaceable(place) and is_replaceable(tmp_path / "new")
    (place / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other things"):
        save_model(place, encoder, {})
    assert (place / "notes.txt").read_text() == "mine"
