"""The layer contract, one table of layers and one test per promise."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry import centroids, coordinates, lorentz
from hdd_tf.geometry.layers import (
    ExpMap0,
    LorentzCentroid,
    LorentzLift,
    ToLorentz,
    ToPoincare,
)
from hdd_tf.geometry.losses import GeodesicCentroidLoss
from tests.geometry.matching import DTYPES, features

V = features(1, (2, 6, 4), 3.0)


def features_input(dtype):
    return tf.constant(V, dtype)


def points_input(dtype):
    return tuple(tf.cast(t, dtype) for t in lorentz.expmap0(tf.constant(V), -0.5))


# (class, arguments other than the defaults, input, what the layer should compute)
LAYERS = [
    (
        LorentzLift,
        {"curvature": -0.5, "lift": "project"},
        features_input,
        lambda v: lorentz.project(v, -0.5),
    ),
    (
        LorentzLift,
        {"curvature": -1 / 3, "max_tangent_norm": 1.5},
        features_input,
        lambda v: lorentz.expmap0(v, -1 / 3, 1.5),
    ),
    (
        ExpMap0,
        {"curvature": -2.0, "max_tangent_norm": 4.0},
        features_input,
        lambda v: lorentz.expmap0(v, -2.0, 4.0),
    ),
    (LorentzCentroid, {}, points_input, lambda p: centroids.centroid(*p)),
    (
        LorentzCentroid,
        {"return_mass": True},
        points_input,
        lambda p: centroids.centroid_with_mass(*p),
    ),
    (
        ToLorentz,
        {"curvature": -0.5},
        points_input,
        lambda p: coordinates.to_lorentz(p, -0.5),
    ),
    (
        ToPoincare,
        {"curvature": -0.5},
        points_input,
        lambda p: coordinates.to_poincare(p, -0.5),
    ),
]
each_layer = pytest.mark.parametrize(
    ("layer", "arguments", "inputs", "expected"), LAYERS
)


def assert_equal(actual, expected, rtol=1e-6):
    tf.nest.assert_same_structure(actual, expected)
    for x, y in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        assert x.dtype == y.dtype
        assert x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


@each_layer
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layer_dtype", [None, "float64"])
def test_computes_the_function(layer, arguments, inputs, expected, dtype, layer_dtype):
    wide = "float64" if "float64" in (dtype, layer_dtype) else "float32"
    result = layer(**arguments, dtype=layer_dtype)(inputs(dtype))
    widened = tf.nest.map_structure(lambda t: tf.cast(t, wide), inputs(dtype))
    assert_equal(result, expected(widened), rtol=4 * np.finfo(wide).eps)


@each_layer
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float16"])
def test_low_precision_is_widened(layer, arguments, inputs, expected, policy):
    low = "bfloat16" if "b" in policy else "float16"
    for dtype in (low, "float32"):
        widened = tf.nest.map_structure(lambda t: tf.cast(t, "float32"), inputs(dtype))
        result = layer(**arguments, dtype=policy)(inputs(dtype))
        assert_equal(result, expected(widened))
        assert_equal(layer(**arguments)(inputs(dtype)), expected(widened))


@each_layer
def test_config_round_trip(layer, arguments, inputs, expected):
    original = layer(**arguments, name="geometry", dtype="float64")
    config = original.get_config()
    assert arguments.items() <= config.items()
    for copy in (
        layer.from_config(config),
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(original)
        ),
    ):
        assert type(copy) is layer
        assert copy.get_config() == config
        assert_equal(copy(inputs("float64")), original(inputs("float64")), rtol=0)


@each_layer
def test_shapes_and_types_are_known_before_the_call(layer, arguments, inputs, expected):
    # Class count and image count unknown, the features' dimension known.
    known = tf.nest.map_structure(lambda t: t.shape, inputs("float32"))
    symbolic = tf.nest.map_structure(
        lambda t: keras.KerasTensor((None, None, *t.shape[2:]), dtype="bfloat16"),
        inputs("float32"),
    )
    instance = layer(**arguments, dtype="mixed_bfloat16")
    result = instance(inputs("float32"))
    spec = instance(symbolic)
    tf.nest.assert_same_structure(spec, result)
    for one, other in zip(tf.nest.flatten(spec), tf.nest.flatten(result), strict=True):
        assert one.dtype == "float32"
        assert len(one.shape) == len(other.shape)
        assert tf.TensorShape(one.shape).is_compatible_with(other.shape)
        assert one.shape[2:] == tuple(other.shape[2:])
    shapes = instance.compute_output_shape(
        tf.nest.map_structure(tuple, known)
        if isinstance(known, tuple)
        else tuple(known)
    )
    expected_shapes = [tuple(t.shape) for t in tf.nest.flatten(result)]
    assert shapes == (
        tuple(expected_shapes) if isinstance(result, tuple) else expected_shapes[0]
    )


@each_layer
@pytest.mark.parametrize("dtype", DTYPES)
def test_eager_equals_graph(layer, arguments, inputs, expected, dtype):
    instance = layer(**arguments)
    signature = tf.nest.map_structure(
        lambda t: tf.TensorSpec([None, None, *t.shape[2:]], dtype), inputs(dtype)
    )
    graph = tf.function(instance, input_signature=[signature])
    rtol = 4 * np.finfo(dtype).eps
    assert_equal(graph(inputs(dtype)), instance(inputs(dtype)), rtol)


def build_model(policy=None):
    images = keras.Input((6, 4), dtype="float32")
    features = keras.layers.Dense(3, dtype=policy)(images)
    lifted = ExpMap0(curvature=-0.5, max_tangent_norm=10.0, dtype=policy)(features)
    projected = LorentzLift(-0.5, lift="project", dtype=policy)(features)
    centroid = LorentzCentroid(dtype=policy)(lifted)
    outputs = [
        ToPoincare(-0.5, dtype=policy)(centroid),
        ToLorentz(-0.5, dtype=policy)(lifted),
        *LorentzCentroid(return_mass=True, dtype=policy)(projected),
    ]
    return keras.Model(images, outputs)


@pytest.mark.parametrize("policy", [None, "mixed_bfloat16"])
def test_saved_model_reloads(tmp_path, policy):
    model = build_model(policy)
    images = tf.constant(V, tf.float32)
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(reloaded(images), model(images), rtol=0)
    assert all(output.dtype == "float32" for output in model(images))


def test_exported_model_serves(tmp_path):
    model = build_model()
    images = tf.constant(V, tf.float32)
    model.export(str(tmp_path / "exported"), verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    for actual, expected in zip(exported.serve(images), model(images), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_centroid_takes_weights():
    points = points_input("float64")
    weights = tf.constant(np.random.default_rng(2).uniform(size=(2, 6)), tf.float32)
    result = LorentzCentroid()(points, weights=weights)
    assert_equal(result, centroids.centroid(*points, weights), rtol=0)


@pytest.mark.parametrize("layer", [ExpMap0, LorentzLift, ToLorentz, ToPoincare])
@pytest.mark.parametrize("curvature", [0.0, 0.5, np.nan, -np.inf])
def test_rejects_curvatures(layer, curvature):
    with pytest.raises(ValueError, match=f"`curvature`.*Received: {curvature}"):
        layer(curvature=curvature)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lift": "exp"}, r"`lift` must be one of.*Received: 'exp'"),
        ({"max_tangent_norm": -1.0}, r"`max_tangent_norm`.*Received: -1.0"),
        ({"max_tangent_norm": np.nan}, r"`max_tangent_norm`.*Received: nan"),
    ],
)
def test_rejects_lifts_and_clamps(arguments, message):
    with pytest.raises(ValueError, match=message):
        LorentzLift(**arguments)


@pytest.mark.parametrize("layer", [LorentzCentroid, ToLorentz, ToPoincare])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        # Two rows unpack like a pair, and give numbers without a meaning.
        (np.ones((2, 3), "float32"), r"takes \(klein, log_gamma\).*shape \(2, 3\)"),
        ((np.ones((2, 3)), np.ones((2, 3))), r"got \(2, 3\) and \(2, 3\)"),
        ((np.ones((2, 3)), np.ones(2), np.ones(2)), "got 3 tensors"),
    ],
)
def test_takes_a_point_only(layer, given, said):
    with pytest.raises(ValueError, match=said):
        layer()(given)


@pytest.mark.parametrize("layer", [ExpMap0, LorentzLift, ToLorentz, ToPoincare])
def test_rejects_curvatures_of_text(layer):
    with pytest.raises(ValueError, match=r"`curvature` must be a number.*'-1/3'") as it:
        layer(curvature="-1/3")
    assert "\n" not in str(it.value)


def test_the_loss_takes_a_point_of_the_right_shapes():
    klein, synthetic = np.zeros((2, 3), "float32"), np.zeros((2, 5, 3), "float32")
    loss = GeodesicCentroidLoss()
    assert loss((klein, np.zeros(2, "float32")), synthetic).shape == (2,)
    with pytest.raises(ValueError, match=r"takes \(klein, log_gamma\)"):
        loss((klein, klein), synthetic)
    with pytest.raises(ValueError, match="not text"):
        GeodesicCentroidLoss(curvature="-1")
