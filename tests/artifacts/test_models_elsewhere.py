"""SavedModels converted for elsewhere: TFLite and ONNX give the same values."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.analysis.encoder import HyperbolicEncoder
from hdd_tf.artifacts.saved_models import Classifier, save_model
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.registry import build_network
from hdd_tf.random_keys import derive_key

pytestmark = pytest.mark.slow

SHAPE = (8, 10, 3)
NORMALISATION = Normalisation((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
SIGNATURES = {"serving_default": np.uint8, "serving_float": np.float32}


def modules():
    convnet = build_network("convnet", SHAPE, 4, depth=1, width=4)
    # Max pools start from -inf, and batch norm has a state.
    pooled = build_network("convnet_batch", SHAPE, 4, depth=2, width=4, pooling="max")
    encoder = HyperbolicEncoder(
        convnet, convnet.initial_weights(derive_key(1)), NORMALISATION, -0.02
    )
    weights, state = pooled.initial_variables(derive_key(2))
    return {
        "encoder": encoder,
        "classifier": Classifier(pooled, weights, state, NORMALISATION),
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    place = tmp_path_factory.mktemp("saved")
    for name, module in modules().items():
        save_model(place / name, module, {})
    return place


# A conversion takes seconds: each model and each signature once.
EVERY_DAY = {("encoder", "serving_float"), ("classifier", "serving_default")}
CASES = pytest.mark.parametrize(
    ("model", "signature"),
    [
        pytest.param(*case, marks=[] if case in EVERY_DAY else pytest.mark.stress)
        for case in itertools.product(("encoder", "classifier"), SIGNATURES)
    ],
    indirect=["model"],
)


@pytest.fixture(scope="module")
def model(request, saved):
    """A SavedModel, images, and what it gives for them."""
    place = saved / request.param
    images = np.random.default_rng(0).integers(0, 256, [5, *SHAPE]).astype(np.uint8)
    outputs = tf.saved_model.load(str(place))(images)
    return place, images, {name: value.numpy() for name, value in outputs.items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5)


@CASES
# TensorFlow says that its interpreter will move to a package of its own.
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_tflite_without_operations_of_tensorflow(model, signature):
    place, images, expected = model
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(place), signature_keys=[signature]
    )
    # TFLite's own operations only, which is the default: no Flex delegate is needed.
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    run = interpreter.get_signature_runner(signature)
    assert_same(run(images=images.astype(SIGNATURES[signature])), expected)


@CASES
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx(model, signature):
    tf2onnx = pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    place, images, expected = model
    graph, inputs, outputs = tf2onnx.tf_loader.from_saved_model(
        str(place), None, None, tag="serve", signatures=[signature]
    )
    converted, _ = tf2onnx.convert.from_graph_def(
        graph, input_names=inputs, output_names=outputs, opset=18
    )
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (images_in,) = session.get_inputs()
    for count in (5, 2):  # Any size of batch.
        given = images[:count].astype(SIGNATURES[signature])
        found = session.run(outputs, {images_in.name: given})
        # TensorFlow orders the outputs of a signature by their names.
        names = sorted(expected)
        few = {name: value[:count] for name, value in expected.items()}
        assert_same(dict(zip(names, found, strict=True)), few)
