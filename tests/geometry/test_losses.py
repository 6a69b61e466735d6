"""The losses: values, gradients, Keras' contract."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry import centroids, lorentz
from hdd_tf.geometry.layers import LorentzLift
from hdd_tf.geometry.losses import GeodesicCentroidLoss, MeanFeatureLoss
from tests.geometry import oracle
from tests.geometry.matching import features

REAL, SYNTHETIC = features(1, (3, 6, 4), 2.0), features(2, (3, 2, 4), 2.0)
LOSSES = [
    (
        GeodesicCentroidLoss,
        {
            "curvature": -0.5,
            "lift": "project",
            "max_tangent_norm": 10.0,
            "loss_weight": 20.0,
        },
    ),
    (GeodesicCentroidLoss, {"curvature": -1 / 3, "max_tangent_norm": 0.7}),
    (MeanFeatureLoss, {"loss_weight": 3.0}),
]
each_loss = pytest.mark.parametrize(("loss", "arguments"), LOSSES)


def differentiate(loss, real, synthetic):
    real, synthetic = tf.constant(real), tf.constant(synthetic)
    with tf.GradientTape() as tape:
        tape.watch([real, synthetic])
        value = loss(real, synthetic)
    gradients = tape.gradient(value, [real, synthetic])
    return value, *gradients


@pytest.mark.parametrize("lift", ["expmap0", "project"])
@pytest.mark.parametrize("curvature", [-2.0, -1 / 3])
def test_geodesic_loss_is_lambda_times_the_distance_of_each_class(lift, curvature):
    loss = GeodesicCentroidLoss(curvature, lift, loss_weight=20.0, dtype="float64")
    expected = [
        20.0 * oracle.numpy_loss(real, synthetic, curvature, lift)
        for real, synthetic in zip(REAL, SYNTHETIC, strict=True)
    ]
    np.testing.assert_allclose(loss(REAL, SYNTHETIC), expected, rtol=1e-9)


def test_mean_loss_is_lambda_times_the_squared_distance_of_each_class():
    expected = 3.0 * np.square(REAL.mean(1) - SYNTHETIC.mean(1)).sum(-1)
    loss = MeanFeatureLoss(loss_weight=3.0, dtype="float64")
    np.testing.assert_allclose(loss(REAL, SYNTHETIC), expected, rtol=1e-14)
    np.testing.assert_allclose(loss(REAL.mean(1), SYNTHETIC), expected, rtol=1e-13)


@each_loss
def test_gradient_reaches_only_the_synthetic_side(loss, arguments):
    instance = loss(**arguments, dtype="float64")
    value, real_gradient, gradient = differentiate(instance, REAL, SYNTHETIC)
    assert value.shape == (3,)
    assert real_gradient is None
    nudge, step = features(3, SYNTHETIC.shape, 1.0), 1e-6
    ahead = tf.reduce_sum(instance(REAL, SYNTHETIC + step * nudge))
    behind = tf.reduce_sum(instance(REAL, SYNTHETIC - step * nudge))
    np.testing.assert_allclose(
        np.sum(gradient * nudge), (ahead - behind) / (2 * step), rtol=1e-7
    )


@pytest.mark.parametrize("container", [tuple, list])
def test_centroids_computed_before_give_the_same(container):
    loss = GeodesicCentroidLoss(-0.5, max_tangent_norm=10.0, dtype="float64")
    pair = centroids.centroid(*lorentz.expmap0(tf.constant(REAL), -0.5, 10.0))
    synthetic = tf.constant(SYNTHETIC)
    with tf.GradientTape() as tape:
        tape.watch([*pair, synthetic])
        value = loss(container(pair), synthetic)
    *pair_gradients, gradient = tape.gradient(value, [*pair, synthetic])
    expected, _, expected_gradient = differentiate(loss, REAL, SYNTHETIC)
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(gradient, expected_gradient)
    assert pair_gradients == [None, None]


@each_loss
def test_config_round_trip(loss, arguments):
    original = loss(**arguments, reduction="sum", name="match", dtype="float64")
    config = original.get_config()
    expected = {"reduction": "sum", "name": "match", "dtype": "float64"}
    assert (arguments | expected).items() <= config.items()
    for copy in (
        loss.from_config(config),
        keras.losses.deserialize(keras.losses.serialize(original)),
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(original)
        ),
    ):
        assert type(copy) is loss
        assert copy.get_config() == config
        np.testing.assert_array_equal(copy(REAL, SYNTHETIC), original(REAL, SYNTHETIC))


@each_loss
def test_reduction(loss, arguments):
    per_class = loss(**arguments)(REAL, SYNTHETIC)
    assert per_class.shape == (3,)
    total = loss(**arguments, reduction="sum")(REAL, SYNTHETIC)
    np.testing.assert_allclose(total, np.sum(per_class), rtol=1e-6)


@each_loss
def test_default_and_double_precision(loss, arguments):
    # Keras casts to float32 unless told otherwise.
    assert loss(**arguments)(REAL, SYNTHETIC).dtype == "float32"
    double = loss(**arguments, dtype="float64")(REAL, SYNTHETIC)
    assert double.dtype == "float64"
    # `call` itself never narrows.
    direct = loss(**arguments).call(tf.constant(REAL), tf.constant(SYNTHETIC))
    np.testing.assert_array_equal(direct, double)


@each_loss
@pytest.mark.parametrize("low", ["bfloat16", "float16"])
def test_low_precision_features_are_widened(loss, arguments, low):
    real, synthetic = tf.cast(REAL, low), tf.cast(SYNTHETIC, low)
    widened = (tf.cast(real, "float32"), tf.cast(synthetic, "float32"))
    expected = loss(**arguments)(*widened)
    np.testing.assert_array_equal(loss(**arguments)(real, synthetic), expected)
    direct = loss(**arguments, dtype=low).call(real, synthetic)
    assert direct.dtype == "float32"
    np.testing.assert_array_equal(direct, expected)


@each_loss
def test_eager_equals_graph_with_unknown_sizes(loss, arguments):
    instance = loss(**arguments, dtype="float64")
    spec = tf.TensorSpec([None, None, 4], "float64")
    graph = tf.function(instance, input_signature=[spec, spec])
    np.testing.assert_allclose(
        graph(REAL, SYNTHETIC), instance(REAL, SYNTHETIC), rtol=1e-14
    )


@each_loss
def test_compiled_model_trains_saves_and_reloads(tmp_path, loss, arguments):
    inputs = keras.Input((2, 4))
    model = keras.Model(inputs, keras.layers.Dense(4)(inputs))
    model.compile("sgd", loss=loss(**arguments, reduction="sum"))
    data = SYNTHETIC.astype("float32"), REAL.astype("float32")
    before = model.evaluate(*data, batch_size=3, verbose=0)
    model.fit(*data, batch_size=3, epochs=1, verbose=0)
    assert model.evaluate(*data, batch_size=3, verbose=0) < before
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    assert reloaded.loss.get_config() == model.loss.get_config()
    assert reloaded.evaluate(*data, batch_size=3, verbose=0) == pytest.approx(
        model.evaluate(*data, batch_size=3, verbose=0)
    )


def test_layer_and_loss_agree():
    lifted = LorentzLift(-0.5, max_tangent_norm=1.0)(tf.constant(REAL, tf.float32))
    loss = GeodesicCentroidLoss(-0.5, max_tangent_norm=1.0)
    np.testing.assert_array_equal(
        loss(centroids.centroid(*lifted), SYNTHETIC), loss(REAL, SYNTHETIC)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"curvature": 0.5}, r"`curvature` must be negative.*Received: 0.5"),
        ({"curvature": float("nan")}, r"`curvature`.*Received: nan"),
        ({"lift": "log"}, r"`lift` must be one of.*Received: 'log'"),
        ({"max_tangent_norm": -3.0}, r"`max_tangent_norm`.*Received: -3.0"),
        ({"loss_weight": -1.0}, r"`loss_weight`.*Received: -1.0"),
        ({"loss_weight": float("inf")}, r"`loss_weight`.*Received: inf"),
    ],
)
def test_rejects_options(arguments, message):
    with pytest.raises(ValueError, match=message):
        GeodesicCentroidLoss(**arguments)
    if "loss_weight" in arguments:
        with pytest.raises(ValueError, match=message):
            MeanFeatureLoss(**arguments)


@each_loss
@pytest.mark.parametrize(
    ("real_shape", "synthetic_shape"),
    [
        ((2, 6, 4), (3, 2, 4)),
        ((3, 6, 5), (3, 2, 4)),
        ((6, 4), (2, 4)),
        ((2, 3, 6, 4), (2, 3, 2, 4)),
    ],
)
def test_rejects_shapes_showing_both(loss, arguments, real_shape, synthetic_shape):
    with pytest.raises(ValueError, match=r"Received: centres of shape \(.*\) and") as e:
        loss(**arguments)(tf.ones(real_shape), tf.ones(synthetic_shape))
    assert str(synthetic_shape) in str(e.value)
