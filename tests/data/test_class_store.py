import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.random_keys import derive_key

MEAN, STD = (0.4, 0.5), (0.2, 0.3)


def make_store(*sizes, seed=0):
    """A store whose images are told apart by their first two bytes."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(seed).permutation(labels)
    images = np.random.default_rng(1).integers(0, 256, (len(labels), 3, 2, 2))
    images[:, 0, 0, 0] = np.arange(len(labels)) % 256
    images[:, 0, 0, 1] = np.arange(len(labels)) // 256
    images = images.astype(np.uint8)
    return (
        ClassStore(images, labels, len(sizes), Normalisation(MEAN, STD)),
        images,
        labels,
    )


@pytest.fixture(scope="module")
def store():
    return make_store(3, 17, 500, 1)


def test_draws_are_of_their_class_without_replacement(store):
    store, _, labels = store
    rows, weights = store.draw_indices(derive_key(0), 20)
    assert (rows.dtype, weights.dtype) == (tf.int64, tf.float32)
    assert rows.shape == weights.shape == (4, 20)
    assert weights.numpy().sum(axis=1).tolist() == [3, 17, 20, 1]
    for label in range(4):
        # Padding rows too must be images of the class.
        assert (labels[rows[label]] == label).all()
        drawn = rows[label][weights[label] > 0].numpy()
        assert len(set(drawn)) == len(drawn)
    # Whole classes are drawn where they are small.
    assert set(rows[1].numpy()) == set(np.flatnonzero(labels == 1))


def test_count_is_capped_at_the_largest_class(store):
    store, _, labels = store
    rows, weights = store.draw_indices(derive_key(0), 5000)
    assert rows.shape == (4, 500)
    assert sorted(rows[2].numpy()) == np.flatnonzero(labels == 2).tolist()
    assert weights.numpy().sum() == 521


def test_same_key_same_draw(store):
    store = store[0]
    first, _ = store.draw_indices(derive_key(7, 1), 20)
    again, _ = store.draw_indices(derive_key(7, 1), 20)
    other, _ = store.draw_indices(derive_key(7, 2), 20)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[2], other[2])


def test_a_class_does_not_depend_on_the_others():
    one, _, labels = make_store(40, 50)
    key = derive_key(3)
    draw, _ = one.draw_indices(key, 10)
    positions = np.searchsorted(np.flatnonzero(labels == 0), draw[0])
    other, _, labels = make_store(40, 9, 800)
    draw, _ = other.draw_indices(key, 10)
    np.testing.assert_array_equal(
        np.searchsorted(np.flatnonzero(labels == 0), draw[0]), positions
    )


def draw_many(store, count, num_keys):
    """Draws `[num_keys, C, count]` rows in one graph."""
    keys = tf.random.stateless_uniform(
        [num_keys, 2], [1, 2], minval=None, maxval=None, dtype=tf.int32
    )

    @tf.function
    def draw():
        return tf.map_fn(
            lambda key: store.draw_indices(key, count)[0],
            keys,
            fn_output_signature=tf.int64,
        )

    return draw().numpy()


def assert_uniform(counts):
    """Checks counts by chi-square: 5 standard deviations of its distribution."""
    expected = counts.sum() / counts.size
    assert expected >= 4
    chi_square = ((counts - expected) ** 2 / expected).sum()
    freedom = counts.size - 1
    assert abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom), chi_square


@pytest.fixture(scope="module")
def many_draws(store):
    """Positions within the class, `[2000, 17]` for each class."""
    store, _, labels = store
    rows = draw_many(store, 17, 2000)
    return [
        np.searchsorted(np.flatnonzero(labels == label), rows[:, label])
        for label in range(3)
    ]


@pytest.mark.parametrize("label,size", [(0, 3), (1, 17), (2, 500)])
@pytest.mark.parametrize("column", [0, 2])
def test_every_image_is_as_likely_at_every_place(many_draws, label, size, column):
    assert_uniform(np.bincount(many_draws[label][:, column], minlength=size))


def test_pairs_within_a_class_are_uniform(many_draws):
    for column in (0, 7, 15):
        draws = many_draws[1]
        pairs = np.zeros((17, 17))
        np.add.at(pairs, (draws[:, column], draws[:, column + 1]), 1)
        assert_uniform(pairs[~np.eye(17, dtype=bool)])


def test_classes_are_independent():
    store, _, labels = make_store(17, 17)
    first = draw_many(store, 1, 2000)[..., 0]
    pairs = np.zeros((17, 17))
    positions = [
        np.searchsorted(np.flatnonzero(labels == label), first[:, label])
        for label in (0, 1)
    ]
    np.add.at(pairs, tuple(positions), 1)
    assert_uniform(pairs)


def test_gather_equals_numpy(store):
    store, images, _ = store
    rows = np.array([[0, 5, 520], [5, 5, 300]])
    expected = (images[rows] / 255.0 - MEAN) / STD
    gathered = store.gather(tf.constant(rows))
    assert gathered.dtype == tf.float32
    np.testing.assert_allclose(gathered, expected, atol=1e-6)
    np.testing.assert_array_equal(store.normalise(images[rows]), gathered)
    assert store.image_shape == (3, 2, 2)
    assert store.sizes.numpy().tolist() == [3, 17, 500, 1]


def test_in_a_graph_without_retracing(store):
    store = store[0]

    @tf.function
    def batch(iteration):
        rows, weights = store.draw_indices(derive_key(9, iteration), 20)
        assert rows.shape == weights.shape == (4, 20)  # Static, for the step.
        images = store.gather(rows)
        assert images.shape == (4, 20, 3, 2, 2)
        return rows, images

    for iteration in range(3):
        rows, images = batch(tf.constant(iteration))
        expected, _ = store.draw_indices(derive_key(9, iteration), 20)
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_allclose(images, store.gather(expected), atol=1e-6)
    assert batch.experimental_get_tracing_count() == 1


def test_only_the_batch_leaves_the_host(store):
    @tf.function
    def gather(rows):
        with tf.device("CPU:1"):
            return store[0].gather(rows)

    graph = gather.get_concrete_function(tf.TensorSpec([2], tf.int64)).graph
    devices = {
        operation.type: operation.device
        for operation in graph.get_operations()
        if operation.type in ("GatherV2", "Sub")
    }
    assert devices["GatherV2"].endswith("CPU:0")
    assert devices["Sub"].endswith("CPU:1")


@pytest.mark.parametrize(
    "images,labels,message",
    [
        (np.zeros((2, 1, 1, 1), np.float32), [0, 1], "uint8"),
        (np.zeros((2, 1, 1), np.uint8), [0, 1], "uint8"),
        (np.zeros((2, 1, 1, 1), np.uint8), [0, 0], "every class"),
        (np.zeros((2, 1, 1, 1), np.uint8), [0, 2], "every class"),
    ],
)
def test_what_no_store_can_hold(images, labels, message):
    with pytest.raises(ValueError, match=message):
        ClassStore(images, np.array(labels), 2, Normalisation((0.5,), (0.5,)))


def test_a_store_of_some_classes_draws_the_same_images():
    whole, images, labels = make_store(3, 17, 40, 1)
    held = np.isin(labels, [1, 3])
    part = ClassStore(
        images[held],
        labels,
        4,
        Normalisation(MEAN, STD),
        np.where(held, np.cumsum(held) - 1, 0),
    )
    np.testing.assert_array_equal(part.sizes, whole.sizes)
    key = derive_key(5)
    (rows, weights), (expected, same) = (s.draw_indices(key, 9) for s in (part, whole))
    np.testing.assert_array_equal(weights, same)
    for label in (1, 3):
        np.testing.assert_array_equal(
            part.gather(rows[label]), whole.gather(expected[label])
        )
    with pytest.raises(ValueError, match="need a store of all images"):
        part.draw_batches(key, 1, 2)
