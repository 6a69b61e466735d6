"""Training on soft labels from each source, against plain loops."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import cutmix, resized_crop
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.errors import InputError
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.protocols.optimisers import optimiser_of
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import DrawnViews
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.training_variables import TrainingState
from tests.trained_teacher import teacher_of_trainer

# Networks of many kinds train here: more than a few seconds in all.
pytestmark = pytest.mark.slow

SHAPE, CLASSES, COUNT = (8, 8, 3), 4, 10
NORMALISATION = Normalisation((0.5, 0.4, 0.3), (0.25, 0.3, 0.2))
OPTIONS = NetworkOptions(depth=1, width=4)
PLAIN = TrainingProtocol(epochs=3, batch_size=4, learning_rate=0.05)
STORED = dataclasses.replace(
    PLAIN, loss="soft", labels="stored", cutmix=0.5, resized_crop=0.5
)
EPOCHS = dataclasses.replace(PLAIN, loss="kl", labels="epochs", temperature=4.0)
TEACHER = dataclasses.replace(
    PLAIN,
    loss="kl",
    labels="teacher",
    temperature=4.0,
    optimiser="adamw",
    resized_crop=0.3,
    flip=True,
    cutmix=1.0,
)


@pytest.fixture(scope="module")
def network():
    return build_with_options("convnet_batch", SHAPE, CLASSES, OPTIONS)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, *SHAPE)).astype(np.uint8)
    return images, np.arange(COUNT) % CLASSES


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(1).normal(size=(COUNT, CLASSES)).astype(np.float32)


@pytest.fixture(scope="module")
def epoch_labels():
    rng = np.random.default_rng(2)
    boxes = rng.integers(0, 3, (2, COUNT, 4))
    boxes[..., 2:] += 4
    places = np.concatenate([rng.permutation(size) for size in (4, 4, 2)])
    return EpochLabels(
        rows=np.stack([rng.permutation(COUNT) for _ in range(2)]).astype(np.int32),
        boxes=boxes.astype(np.int16),
        flips=rng.random((2, COUNT)) < 0.5,
        partners=np.stack([places, places]).astype(np.int32),
        cuts=np.array([[[0, 1, 5, 6], [2, 2, 2, 2], [4, 0, 8, 8]]] * 2, np.int16),
        logits=rng.normal(size=(2, COUNT, CLASSES)).astype(np.float16),
        batch_size=4,
    )


@pytest.fixture(scope="module")
def teacher(network, data):
    trainer = NetworkTrainer(network, *data, NORMALISATION, PLAIN)
    trainer.train(derive_key(7))
    return teacher_of_trainer(trainer, "convnet_batch", OPTIONS, CLASSES)


def values(variables):
    return [variable.numpy() for variable in variables]


def assert_same(first, second):
    for mine, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_teacher_says_what_its_trainer_knows(network, data, teacher):
    trainer = NetworkTrainer(network, *data, NORMALISATION, PLAIN)
    trainer.train(derive_key(7))
    said = teacher.logits_function()(NORMALISATION.normalise(data[0]))
    right = 100 * np.mean(np.argmax(said, -1) == data[1])
    assert trainer.accuracy(*data) == pytest.approx(right)


def test_one_trace_for_all_networks_and_sets_of_one_shape(network, data, logits):
    trainer = NetworkTrainer(network, *data, NORMALISATION, STORED, label_logits=logits)
    first = trainer.train(derive_key(0))
    trainer.train(derive_key(1))
    trainer.replace_images(*data, logits[::-1])
    other = trainer.train(derive_key(0))
    trainer.replace_images(*data, logits)
    assert trainer.train(derive_key(0)) == first != other
    trainer.set_learning_rate(0.2)
    assert trainer.train(derive_key(0)) != first
    assert trainer.trace_count == 1


def test_a_learnt_rate_trains_as_one_of_the_protocol(network, data, logits):
    rate = dataclasses.replace(
        STORED, learning_rate=-0.02, drop_epochs=(1,), reset_velocity=False
    )
    expected = NetworkTrainer(network, *data, NORMALISATION, rate, label_logits=logits)
    protocol = dataclasses.replace(rate, learning_rate=0.3)
    trainer = NetworkTrainer(
        network, *data, NORMALISATION, protocol, label_logits=logits
    )
    trainer.set_learning_rate(-0.02)
    assert trainer.train(derive_key(3)) == expected.train(derive_key(3))
    assert_same(values(trainer.weights), values(expected.weights))


def test_stored_labels_of_one_class_are_hard_ones(network, data):
    # Softmax of these is one class to the last bit.
    certain = np.where(np.eye(CLASSES)[data[1]], 200.0, 0.0).astype(np.float32)
    soft = NetworkTrainer(network, *data, NORMALISATION, STORED, label_logits=certain)
    hard = NetworkTrainer(network, *data, NORMALISATION, STORED.with_hard_labels())
    assert soft.train(derive_key(2)) == pytest.approx(hard.train(derive_key(2)))
    for mine, theirs in zip(soft.weights, hard.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_epochs_are_replayed_as_they_are_stored(network, data, epoch_labels):
    trainer = NetworkTrainer(
        network, *data, NORMALISATION, EPOCHS, epoch_labels=epoch_labels
    )
    key = derive_key(4)
    trainer.train(key)
    start = derive_key(key, Purpose.EVALUATION_NETWORK)
    weights, state = map(list, network.initial_variables(start))
    velocities = [tf.zeros_like(weight) for weight in weights]
    # Three epochs, two of which are stored: the third is the first again.
    for epoch in (0, 1, 0):
        for batch, first in enumerate(range(0, COUNT, 4)):
            part = slice(first, first + 4)
            rows = epoch_labels.rows[epoch, part]
            views = []
            for row, box, flip in zip(
                rows,
                epoch_labels.boxes[epoch, part],
                epoch_labels.flips[epoch, part],
                strict=True,
            ):
                view = resized_crop.resize_boxes(
                    tf.constant(data[0][[row]], tf.float32), box[None], 8, 8
                ).numpy()[0]
                views.append(view[:, ::-1] if flip else view)
            images = NORMALISATION.normalise(np.stack(views))
            top, left, bottom, right = epoch_labels.cuts[epoch, batch]
            mixed = images.copy()
            for place, partner in enumerate(epoch_labels.partners[epoch, part]):
                foreign = images[partner, top:bottom, left:right]
                mixed[place, top:bottom, left:right] = foreign
            labels = epoch_labels.logits[epoch, part].astype(np.float32)
            with tf.GradientTape() as tape:
                tape.watch(weights)
                said, state = network.training_logits(weights, mixed, state)
                loss = keras_kl(labels, said, 4.0)
            for index, gradient in enumerate(tape.gradient(loss, weights)):
                velocities[index] = (
                    0.9 * velocities[index] + gradient + 5e-4 * weights[index]
                )
                weights[index] = weights[index] - 0.05 * velocities[index]
    for mine, theirs in zip(trainer.weights, weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    assert trainer.trace_count == 1


def keras_kl(labels, logits, temperature):
    divergence = tf.keras.losses.KLDivergence()
    soft = tf.nn.softmax(labels / temperature), tf.nn.softmax(logits / temperature)
    return divergence(*soft)


@pytest.mark.stress
def test_resume_with_adamw_is_exact(network, data, teacher):
    trainer = NetworkTrainer(network, *data, NORMALISATION, TEACHER, teacher=teacher)
    key, states = derive_key(5), []
    trainer._updates_per_call.steps = 1
    whole = trainer.train(key, on_call=lambda: states.append(trainer.snapshot()))
    expected = values([*trainer.weights, *trainer.state, *trainer._variables.slots])
    part = next(state for state in states if 0 < state.updates < 9)
    assert isinstance(part, TrainingState) and part.slots[-1] == part.updates
    fresh = NetworkTrainer(network, *data, NORMALISATION, TEACHER, teacher=teacher)
    fresh.train(derive_key(6))
    resumed = fresh.train(key, resume=part)
    found = values([*fresh.weights, *fresh.state, *fresh._variables.slots])
    assert_same(found, expected)
    assert resumed == pytest.approx(whole) and fresh.trace_count == 1
    assert expected[-1] == 9  # Updates, of three epochs of three batches.


def test_a_drop_makes_adamw_start_afresh(network, data):
    protocol = dataclasses.replace(PLAIN, optimiser="adamw", drop_epochs=(2,))
    trainer = NetworkTrainer(network, *data, NORMALISATION, protocol)
    trainer.train(derive_key(0))
    assert trainer._variables.slots[-1] == 3


def test_the_extra_pass_moves_statistics_twice(network, data):
    still = dataclasses.replace(PLAIN, epochs=1, batch_size=COUNT, learning_rate=0.0)
    moved = []
    for extra in (False, True):
        protocol = dataclasses.replace(still, extra_norm_pass=extra)
        trainer = NetworkTrainer(network, *data, NORMALISATION, protocol)
        trainer.train(derive_key(1))
        moved.append(trainer.state[0].numpy())
    # From 0: .1 of the batch's mean, or .19 of it.
    np.testing.assert_allclose(moved[1], 1.9 * moved[0], rtol=1e-5)


@pytest.mark.parametrize("protocol", [STORED, EPOCHS, TEACHER])
def test_labels_that_are_missing_are_refused(network, data, protocol):
    with pytest.raises(InputError, match="this set has none: name another --eval_p"):
        NetworkTrainer(network, *data, NORMALISATION, protocol)


def test_labels_of_another_set_are_refused(
    network, data, logits, epoch_labels, teacher
):
    def refused(match, protocol, **labels):
        with pytest.raises(InputError, match=match):
            NetworkTrainer(network, *data, NORMALISATION, protocol, **labels)

    refused("do not fit the set: labels of shape", STORED, label_logits=logits[:3])
    wide = dataclasses.replace(EPOCHS, batch_size=5)
    refused("give --eval_batch=4", wide, epoch_labels=epoch_labels)
    high = epoch_labels.boxes.copy()
    high[0, 0] = 4, 0, 5, 8
    high = dataclasses.replace(epoch_labels, boxes=high)
    refused("leaves the 8x8 images", EPOCHS, epoch_labels=high)
    other = dataclasses.replace(teacher, image_shape=(16, 16, 3))
    refused(r"the teacher takes \(16, 16, 3\)", TEACHER, teacher=other)
    trainer = NetworkTrainer(network, *data, NORMALISATION, STORED, label_logits=logits)
    with pytest.raises(InputError, match="this set has none"):
        trainer.replace_images(*data)


def test_slots_are_those_of_the_optimiser(network, data):
    trainer = NetworkTrainer(network, *data, NORMALISATION, PLAIN)
    shapes = [tuple(slot.shape) for slot in trainer._variables.slots]
    assert shapes == optimiser_of(PLAIN).slot_shapes(network.weight_shapes)
    assert shapes == network.weight_shapes


def test_mixup_and_cells_train_in_one_trace(network, data):
    protocol = dataclasses.replace(
        PLAIN, mixing="mixup", cutmix=1.0, shuffled_cells=2, flip=True
    )
    trainer = NetworkTrainer(network, *data, NORMALISATION, protocol)
    losses = [trainer.train(derive_key(seed)) for seed in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]
    plain = NetworkTrainer(network, *data, NORMALISATION, PLAIN)
    assert plain.train(derive_key(0)) != losses[0]
    assert trainer.trace_count == 1


def test_paste_of_an_empty_box_changes_nothing(data):
    images = tf.constant(data[0], tf.float32)
    mixed = cutmix.paste(images, tf.range(COUNT)[::-1], tf.constant([3, 3, 3, 8]))
    np.testing.assert_array_equal(mixed.images, images)
    assert mixed.share == 1.0


def test_cells_of_stitched_images_are_shuffled_before_training_sees_them():
    cells = np.arange(16 * 4, dtype=np.float32).reshape(16, 2, 2, 1)
    images = tf.Variable(cells.repeat(4, axis=1).repeat(4, axis=2))
    protocol = TrainingProtocol(1, 16, shuffled_cells=2)
    views = DrawnViews(protocol, lambda pixels: pixels, 16)
    seen = views.view(
        images, tf.range(16), derive_key(0), tf.constant(0), tf.constant(0)
    ).images.numpy()
    assert not np.array_equal(seen, images.numpy())
    found = seen[:, ::4, ::4].reshape(16, 4)
    np.testing.assert_array_equal(np.sort(found, axis=1), cells.reshape(16, 4))
