"""Norm, ReLU and pooling that XLA compiles, beside TensorFlow's own."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distributed.compilation import compiled, differentiated, without_pieces
from hdd_tf.networks.layers import compiled_pools, conv_block
from hdd_tf.networks.layers.compiled_first_block import convolved_relu_pool
from hdd_tf.networks.layers.compiled_norm import norm_relu_pool
from hdd_tf.networks.layers.compiled_pools import relu_pool, scaled_relu_pool
from hdd_tf.networks.layers.conv_block import ConvBlock
from hdd_tf.networks.layers.instance_norm import EPSILON, instance_moments
from hdd_tf.networks.layers.ordered_norm import can_be_ordered, ordered_norm_relu_pool
from hdd_tf.networks.layers.own_gradients import average_pool, neighbours
from hdd_tf.networks.registry import build_network

SHAPES = [(3, 6, 8, 5), (2, 7, 5, 3), (2, 2, 3, 1)]
SCALE = tf.constant([1.3, -0.7, 0.2, 2.0, 0.9])
SHIFT = tf.constant([0.1, 0.4, -0.3, 0.0, -1.0])


def plain_relu_pool(maps):
    return tf.nn.avg_pool2d(tf.nn.relu(maps), 2, 2, "VALID")


def plain_norm_relu_pool(maps, gamma, beta):
    mean, variance = tf.nn.moments(maps, [1, 2], keepdims=True)
    return plain_relu_pool((maps - mean) / tf.sqrt(variance + EPSILON) * gamma + beta)


OPERATIONS = [(relu_pool, plain_relu_pool), (norm_relu_pool, plain_norm_relu_pool)]


def derivatives(operation, inputs):
    """Values, gradients of a loss, and the gradients of a norm of these."""

    @tf.function(autograph=False)
    def compute(*inputs):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                values = operation(*inputs)
                loss = tf.reduce_sum(tf.sin(3 * values))
            first = tape.gradient(loss, inputs)
            # Of the first alone: the others' gradients reach the same formulas.
            norm = tf.reduce_sum(tf.cast(first[0], values.dtype) ** 2)
        return [values, *first, *outer.gradient(norm, inputs)]

    return [np.asarray(tf.cast(each, tf.float64)) for each in compute(*inputs)]


def arguments(operation, shape):
    maps = tf.random.stateless_normal(shape, [1, 2])
    more = (SCALE[: shape[-1]], SHIFT[: shape[-1]])
    return [maps, *more] if operation is norm_relu_pool else [maps]


@pytest.mark.parametrize(
    "shape",
    [
        SHAPES[1],  # Odd ones have more cases.
        *(pytest.param(shape, marks=pytest.mark.stress) for shape in SHAPES[::2]),
    ],
)
@pytest.mark.parametrize(("ours", "plain"), OPERATIONS)
def test_values_and_both_derivatives_are_those_of_the_plain_operations(
    ours, plain, shape
):
    inputs = arguments(ours, shape)
    found = derivatives(ours, inputs)
    expected = derivatives(plain, [tf.cast(each, tf.float64) for each in inputs])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5 * abs(other).max())


@pytest.mark.parametrize(("ours", "plain"), OPERATIONS)
def test_rounded_maps_give_float32_and_a_rounded_gradient(ours, plain):
    maps, *more = arguments(ours, SHAPES[0])
    inputs = [tf.cast(maps, tf.bfloat16), *more]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        values = ours(*inputs)
        loss = tf.reduce_sum(tf.sin(3 * values))
    gradients = tape.gradient(loss, inputs)
    assert values.dtype == tf.float32
    assert [each.dtype for each in gradients] == [each.dtype for each in inputs]
    wide = [tf.cast(each, tf.float64) for each in inputs]
    expected = derivatives(plain, wide)[: 1 + len(inputs)]
    for one, other in zip([values, *gradients], expected, strict=True):
        one = np.asarray(tf.cast(one, tf.float64))
        # The maps' gradient alone is rounded, to 8 bits.
        np.testing.assert_allclose(one, other, rtol=5e-3, atol=2e-5)


@pytest.mark.parametrize(("ours", "plain"), OPERATIONS)
def test_what_is_returned_may_be_rounded_and_what_comes_back_too(ours, plain):
    inputs = arguments(ours, SHAPES[0])
    above = tf.cast(tf.random.stateless_normal([3, 3, 4, 5], [2, 3]), tf.bfloat16)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        wide, rounded = ours(*inputs), ours(*inputs, dtype=tf.bfloat16)
    np.testing.assert_array_equal(rounded, tf.cast(wide, tf.bfloat16))
    expected = tape.gradient(wide, inputs, tf.cast(above, tf.float32))
    found = tape.gradient(rounded, inputs, above)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_flat_and_broken_maps_stay_by_themselves():
    maps = np.array(tf.random.stateless_normal([4, 4, 4, 1], [3, 4]))
    maps[1], maps[2, 0, 0] = 7.0, np.nan
    maps = tf.constant(maps)
    for operation, inputs in (
        (relu_pool, [maps]),
        (norm_relu_pool, [maps, SCALE[:1], SHIFT[1:2]]),
    ):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            values = operation(*inputs)
        gradient = tape.gradient(values, maps).numpy()
        assert np.isfinite(gradient[[0, 1, 3]]).all()
        finite = np.isfinite(values.numpy()).all(axis=(1, 2, 3))
        assert finite.tolist() == [True, True, False, True]


def test_any_number_of_images_traces_once(monkeypatch):
    traces = []
    plain = compiled_pools.pool
    monkeypatch.setattr(
        compiled_pools, "pool", lambda maps: traces.append(1) or plain(maps)
    )

    # A shape that no other test has.
    @tf.function(input_signature=[tf.TensorSpec([None, 9, 4, 2])], autograph=False)
    def compute(maps):
        return relu_pool(maps)

    for images in (1, 3, 0, 3):
        maps = tf.random.stateless_normal([images, 9, 4, 2], [5, 6])
        expected = plain_relu_pool(maps) if images else tf.zeros([0, 4, 2, 2])
        np.testing.assert_allclose(compute(maps), expected, rtol=1e-6, atol=1e-7)
    assert len(traces) == 1


def rounded_blocks(**settings):
    blocks = [
        ConvBlock(32, dtype="mixed_bfloat16", **settings),
        ConvBlock(8, dtype="mixed_bfloat16", **settings),
    ]
    keras.utils.set_random_seed(3)
    for block, channels in zip(blocks, (1, 32), strict=True):
        block.build((None, 8, 8, channels))
    return blocks


def gradients_of(blocks, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        maps = blocks[1](blocks[0](images))
        loss = tf.reduce_sum(maps * maps)
    return [maps, *tape.gradient(loss, [images, blocks[0].kernel, blocks[1].gamma])]


IMAGES = tf.random.stateless_normal([5, 8, 8, 1], [7, 8])


@pytest.mark.parametrize("trouble", ["a GPU", "no XLA"])
def test_blocks_have_other_operations_where_it_cannot_be(trouble, monkeypatch):
    blocks = rounded_blocks()
    found = gradients_of(blocks, IMAGES)
    assert all(
        np.array_equal(one, other)
        for one, other in zip(found, gradients_of(blocks, IMAGES), strict=True)
    )
    if trouble == "a GPU":
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    else:
        monkeypatch.setattr(compiled_pools, "works", lambda device: False)
    for name in (*PIECES, "norm_relu_pool"):
        monkeypatch.setattr(conv_block, name, None)
    for one, other in zip(found, gradients_of(blocks, IMAGES), strict=True):
        assert np.linalg.norm(one - other) < 0.02 * np.linalg.norm(other)


def test_maps_before_pooling_are_as_they_were():
    pooled, before = rounded_blocks(with_activation=True)[0](IMAGES)
    np.testing.assert_allclose(
        pooled, tf.nn.avg_pool2d(before, 2, 2, "VALID"), atol=0.02
    )


def plain_scaled_relu_pool(maps, scale, shift):
    return average_pool(tf.maximum(maps * scale, -shift)) + shift


@pytest.mark.parametrize("shape", [(5, 8, 6, 32), (2, 32, 32, 16), (3, 2, 2, 5)])
def test_in_float32_values_and_gradients_are_the_bits_of_tensorflow(shape):
    maps = tf.random.stateless_normal(shape, [1, 2])
    scale, shift = tf.random.stateless_normal([2, shape[0], 1, 1, shape[-1]], [3, 4])
    above = tf.random.stateless_normal(
        [shape[0], shape[1] // 2, shape[2] // 2, shape[3]], [5, 6]
    )
    for ours, plain, inputs in (
        (relu_pool, lambda maps: average_pool(tf.nn.relu(maps)), [maps]),
        (scaled_relu_pool, plain_scaled_relu_pool, [maps, scale, shift]),
    ):
        found = []
        for operation in (ours, plain):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                values = operation(*inputs)
            found.append([values, *tape.gradient(values, inputs, above)])
        for one, other in zip(*found, strict=True):
            np.testing.assert_array_equal(one, other)


def plain_scaled_norm_relu_pool(maps, gamma, beta):
    """The form of a block, whose operations and order are those to be kept."""
    mean, inverse_deviation = instance_moments(maps)
    scale = gamma * inverse_deviation
    return plain_scaled_relu_pool(maps, scale, beta - scale * mean)


def values_and_gradients(operation, inputs, above):
    @tf.function(autograph=False)
    def compute(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = operation(*inputs)
        return [values, *tape.gradient(values, inputs, above)]

    return compute(*inputs)


@pytest.mark.parametrize(
    "shape", [(40, 16, 16, 128), (5, 8, 4, 32), (1, 2, 8, 48), (3, 4, 32, 16)]
)
def test_an_ordered_norm_is_the_bits_of_tensorflow(shape):
    maps = 0.3 + tf.random.stateless_normal(shape, [1, 2])
    factors = tf.random.stateless_normal([2, shape[-1]], [3, 4])
    above = average_pool(tf.random.stateless_normal(shape, [5, 6]))
    broken, endless = np.array(maps), np.array(above)
    broken[0, 1, 0, 3], broken[-1, 0, 1, 0] = np.nan, np.inf
    endless[0, 0, 1, 2] = np.inf
    for each, gradient in ((maps, above), (broken, above), (maps, endless)):
        inputs = tf.constant(each), *tf.unstack(factors)
        expected = values_and_gradients(plain_scaled_norm_relu_pool, inputs, gradient)
        found = values_and_gradients(ordered_norm_relu_pool, inputs, gradient)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_ordered_norm_takes_any_number_of_images_and_broken_ones_stay_alone():
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 16])], autograph=False)
    def compute(maps):
        inputs = maps, tf.ones([16]), tf.zeros([16])
        with tf.GradientTape() as tape:
            tape.watch(maps)
            values = ordered_norm_relu_pool(*inputs)
        return values, tape.gradient(values, maps)

    for images in (1, 3, 0, 3):
        values, gradient = compute(tf.zeros([images, 8, 8, 16]))
        assert values.shape == (images, 4, 4, 16) and not np.any(values)
        assert np.isfinite(gradient).all()
    assert compute.experimental_get_tracing_count() == 1
    maps = np.array(tf.random.stateless_normal([3, 8, 8, 16], [5, 6]))
    maps[1, 2, 3, 4] = np.nan
    for each in compute(tf.constant(maps)):
        assert np.isfinite(each).all(axis=(1, 2, 3)).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "shape", [(8, 8, 24), (16, 2, 16), (2, 4, 16), (12, 12, 16), (32, 32, 16)]
)
def test_other_shapes_are_left_to_tensorflow(shape):
    assert not can_be_ordered(tf.TensorShape([None, *shape]))
    assert can_be_ordered(tf.TensorShape([None, 16, 16, 128]))


def test_a_second_gradient_of_an_ordered_norm_is_right():
    maps = tf.random.stateless_normal([3, 4, 4, 16], [1, 2])
    inputs = [maps, *tf.unstack(tf.random.stateless_normal([2, 16], [3, 4]))]
    found = derivatives(ordered_norm_relu_pool, inputs)
    expected = derivatives(
        plain_norm_relu_pool, [tf.cast(each, tf.float64) for each in inputs]
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5 * abs(other).max())


def assert_as_tensorflow_adds(found, expected):
    """Compares what a first block in one pass has led to: its bits with AVX512.

    With AVX2 alone oneDNN adds the last rows of a part of a product in another order,
    and has other parts with another number of threads.
    """
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists() and "avx512" in cpuinfo.read_text("utf-8"):
        np.testing.assert_array_equal(found, expected)


def first_block_inputs(height, channels, width):
    padded = tf.random.stateless_normal([7, height + 2, 18, channels], [1, 2])
    kernels = tf.random.stateless_normal([7, 9 * channels + 1, width], [3, 4])
    patches = tf.reshape(neighbours(padded), [7, height * 16, 9 * channels + 1])
    return padded, kernels, patches


FIRST_BLOCKS = pytest.mark.parametrize(
    ("channels", "width"), [(1, 32), (3, 64), (3, 128)]
)


@FIRST_BLOCKS
@pytest.mark.parametrize("height", [2, 32])
def test_a_first_block_in_one_pass_is_that_of_tensorflow(height, channels, width):
    padded, kernels, patches = first_block_inputs(height, channels, width)
    maps = tf.reshape(tf.matmul(patches, kernels), [7, height, 16, width])
    found = convolved_relu_pool(padded, kernels)
    expected = average_pool(tf.nn.relu(maps))
    assert_as_tensorflow_adds(found, expected)
    assert 0 < np.count_nonzero(found == 0) < tf.size(found) / 2


@FIRST_BLOCKS
def test_a_first_block_in_one_pass_adds_tap_by_tap_and_rounds_once(channels, width):
    padded, kernels, patches = first_block_inputs(2, channels, width)
    pixels, factors = np.array(patches, np.float64), np.array(kernels, np.float64)
    maps = np.zeros([7, 32, width], np.float32)
    for tap in range(9 * channels + 1):
        # Exact in 53 bits, and rounded with the sum.
        maps = np.float32(maps + pixels[:, :, tap, None] * factors[:, None, tap])
    maps = np.maximum(maps, 0).reshape([7, 2, 16, width])
    found = convolved_relu_pool(padded, kernels)
    np.testing.assert_array_equal(found, average_pool(maps))


def test_gradients_of_a_first_block_in_one_pass_are_right():
    inputs = [
        tf.random.stateless_normal([2, 6, 4, 1], [1, 2]),
        tf.random.stateless_normal([2, 10, 16], [3, 4]),
    ]

    def plain(padded, kernels):
        patches = tf.reshape(neighbours(padded), [2, 8, 10])
        maps = tf.reshape(tf.matmul(patches, kernels), [2, 4, 2, 16])
        return average_pool(tf.nn.relu(maps))

    above = tf.random.stateless_normal([2, 2, 1, 16], [5, 6])
    found = values_and_gradients(convolved_relu_pool, inputs, above)
    expected = values_and_gradients(plain, inputs, above)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


PIECES = (
    "relu_pool",
    "convolved_relu_pool",
    "ordered_norm_relu_pool",
    "scaled_relu_pool",
)


def counted_pieces(monkeypatch):
    """Returns a list of the pieces that blocks take while they are traced."""
    taken = []

    def counted(name, operation):
        return lambda *tensors: taken.append(name) or operation(*tensors)

    for name in PIECES:
        monkeypatch.setattr(conv_block, name, counted(name, getattr(conv_block, name)))
    return taken


def large_network(side):
    """A network, of whose blocks the first two have maps that are worth compiling."""
    network = build_network("convnet", (side, side, 3), 4, depth=3, width=128)
    images = tf.random.stateless_normal([6, side, side, 3], [3, 4])
    return network, network.initial_weights(tf.constant([1, 2])), images


@pytest.mark.parametrize("count", [6, None])
@pytest.mark.parametrize("side", [28, 32])
def test_passes_forward_in_float32_are_the_bits_of_those_without_xla(
    side, count, monkeypatch
):
    taken = counted_pieces(monkeypatch)
    network, weights, images = large_network(side)
    signature = [tf.TensorSpec([count, side, side, 3])]

    def compute(images):
        return network.outputs(weights, images)

    with differentiated(0):
        found = tf.function(compute, signature, autograph=False)(images)
    # Those that take long to compile are for a number of images that stays the same.
    expected_pieces = PIECES[1:3] if count else PIECES[::3]
    assert taken == list(expected_pieces)
    with differentiated(0), without_pieces():
        expected = tf.function(compute, signature, autograph=False)(images)
    assert len(taken) == 2
    check = assert_as_tensorflow_adds if count else np.testing.assert_array_equal
    for name, values in expected.items():
        check(found[name], values)


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.stress)])
def test_gradients_in_float32_are_the_bits_of_those_without_xla(times, monkeypatch):
    taken = counted_pieces(monkeypatch)
    network, weights, images = large_network(32)

    def gradients():
        inputs = [images, *weights]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            with differentiated(times):
                logits = network.logits(weights, images)
            loss = tf.reduce_sum(tf.sin(logits))
        return [logits, *tape.gradient(loss, inputs)]

    def compute():
        if times == 1:
            return gradients()
        with tf.GradientTape() as outer:
            outer.watch([images, *weights])
            first = gradients()
            norm = tf.add_n([tf.reduce_sum(tf.sin(3 * each)) for each in first[1:]])
        return [*first, *outer.gradient(norm, [images, *weights])]

    found = tf.function(compute, autograph=False)()
    expected_pieces = ["relu_pool", *(["ordered_norm_relu_pool"] if times == 1 else [])]
    assert taken == expected_pieces
    with without_pieces():
        expected = tf.function(compute, autograph=False)()
    assert taken == expected_pieces
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("images", "times"), [(255, 1), (256, 1), (256, 0), (256, 2)])
def test_smaller_maps_of_many_images_have_the_same_bits(images, times, monkeypatch):
    taken = counted_pieces(monkeypatch)
    block = ConvBlock(128)
    maps = tf.random.stateless_normal([images, 8, 8, 64], [3, 4])
    block(maps)
    block.gamma.assign(tf.random.stateless_normal([128], [5, 6]))

    def compute():
        inputs = [maps, *(tf.convert_to_tensor(w) for w in block.weights)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            with differentiated(times):
                pooled = block.stateless_call(inputs[1:], [], maps)[0]
            loss = tf.reduce_sum(tf.sin(pooled))
        return [pooled, *tape.gradient(loss, inputs)]

    found = tf.function(compute, autograph=False)()
    are_many = images == 256 and times == 1
    assert taken == ["ordered_norm_relu_pool"] * are_many
    with without_pieces():
        expected = tf.function(compute, autograph=False)()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_compiled_whole_has_no_pieces_that_are_to_be_apart(monkeypatch):
    taken = counted_pieces(monkeypatch)
    network, weights, images = large_network(32)
    for times in (0, 1):
        with differentiated(times):
            compiled(lambda: network.logits(weights, images))
    assert not {"ordered_norm_relu_pool", "convolved_relu_pool"} & set(taken)


@pytest.mark.parametrize("trouble", ["a GPU", "no XLA"])
def test_float32_has_other_operations_where_it_cannot_be(trouble, monkeypatch):
    network, weights, images = large_network(32)
    with differentiated(0):
        found = network.logits(weights, images)
    if trouble == "a GPU":
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    else:
        monkeypatch.setattr(compiled_pools, "works", lambda device: False)
    for name in PIECES:
        monkeypatch.setattr(conv_block, name, None)
    for times in (0, 1, 2):
        with differentiated(times):
            expected = network.logits(weights, images)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(None, 16, 16, 64), (None, 33, 32, 128)])
def test_small_and_odd_maps_in_float32_are_not_compiled(shape):
    for times in (0, 1, 2):
        assert not compiled_pools.pays(tf.TensorShape(shape), times)
        assert compiled_pools.pays(tf.TensorShape([None, 16, 16, 128]), times)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_maps_of_any_size_are_not_compiled(dtype, monkeypatch):
    block = ConvBlock(8, dtype=dtype)
    block.build((None, None, None, 8))
    images = tf.random.stateless_normal([2, 6, 4, 8], [3, 4])

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 8])])
    def of_any_size(images):
        return block(images)

    monkeypatch.setattr(conv_block, "norm_relu_pool", None)
    found = of_any_size(images)
    monkeypatch.undo()
    np.testing.assert_allclose(found, block(images), atol=0.02)


def test_a_block_that_feeds_another_rounds_what_that_would_round():
    images = tf.cast(IMAGES, tf.float32)
    values = {}
    for feeds in (False, True):
        first, second = rounded_blocks()
        first.feeds_block = feeds
        between = first(images)
        assert between.dtype == (tf.bfloat16 if feeds else tf.float32)
        assert first.compute_output_spec(between).dtype == between.dtype.name
        values[feeds] = second(between).numpy()
    np.testing.assert_array_equal(values[True], values[False])
    assert ConvBlock.from_config(first.get_config()).feeds_block
    plain = ConvBlock(4, dtype="float32", feeds_block=True)
    assert plain(images).dtype == tf.float32


def test_replicas_compute_what_one_device_does():
    blocks = rounded_blocks()
    network, weights, images = large_network(32)

    def compute():
        with differentiated(1):
            logits = network.logits(weights, images)
        return blocks[1](blocks[0](IMAGES)), logits

    expected = gradients_of(blocks, IMAGES)[0], tf.function(compute)()[1]
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = strategy.run(tf.function(compute, autograph=False))
    for values, other in zip(found, expected, strict=True):
        for value in strategy.experimental_local_results(values):
            np.testing.assert_array_equal(value, other)
