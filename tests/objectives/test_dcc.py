"""DCC: the gradient of all classes at once, and when it is matched."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.methods.registry import METHODS
from hdd_tf.objectives.gradient_matching.contrast import ContrastMatching
from hdd_tf.objectives.gradient_matching.dcc import ContrastSchedule
from hdd_tf.objectives.gradient_matching.gradients import WeightGradients
from hdd_tf.objectives.gradient_matching.row_distance import (
    angle_distance,
    total_distance,
)
from hdd_tf.training.inner_training import InnerSchedule
from tests.objectives.gradient_golden import (
    GivenMatching,
    GivenTraining,
    Golden,
    PlainNetwork,
    error,
)


# DCC class by class, with real images in parts of 3 and 2; DSAC all at once.
@pytest.mark.parametrize(("case", "max_images"), [(0, 3), (1, 100)])
def test_a_step_equals_golden(case, max_images):
    golden = Golden("dcc", f"case{case}_")
    matching = GivenMatching(golden, max_images, None, plain=case == 1)
    contrast = ContrastMatching(
        matching, matching.gradients, matching.blocks, max_images
    )

    sums = contrast.sums(tf.constant(0))
    with tf.GradientTape() as tape:
        tape.watch(sums.synthetic)
        loss = total_distance(angle_distance, sums.real, sums.synthetic)
    cotangent = tape.gradient(loss, sums.synthetic)
    gradient = contrast.pull_back(tf.constant(0), cotangent)
    for side, found in zip(("real", "synthetic"), sums, strict=True):
        for mine, expected in zip(found, golden.gradients(side), strict=True):
            assert error(mine, expected) <= 1e-5
    assert error(loss, golden["loss"]) <= 1e-5
    assert error(gradient, golden["grad_synthetic"]) <= 1e-4
    # The warm-up's loss at the same point.
    classwise = GivenMatching(golden, 100, plain=case == 1).match(tf.constant(0))
    assert error(tf.reduce_sum(classwise.loss), golden["classwise_loss_sum"]) <= 1e-5


def loss_in_one_graph(network, weights, real, synthetic, contrast):
    """The obvious form: all images in one twice-differentiated graph."""
    gradients = WeightGradients(network)
    num_classes = synthetic.shape[0]

    def mean_gradients(images, labels):
        flat = tf.reshape(images, [-1, *images.shape[-3:]])
        share = tf.constant(1 / flat.shape[0], flat.dtype)
        return gradients.of(weights, flat, share, labels)

    def of_classes(chosen):
        sides = []
        for images in (real, synthetic):
            labels = tf.repeat(chosen, images.shape[1])
            sides.append(mean_gradients(tf.gather(images, chosen), labels))
        return total_distance(angle_distance, *sides)

    if contrast:
        return of_classes(tf.range(num_classes))
    return tf.add_n([of_classes(tf.constant([label])) for label in range(num_classes)])


def test_a_life_of_a_network_equals_golden():
    golden = Golden("dcc", "iteration_")
    weights = golden.weights("initial_")
    network = PlainNetwork([tuple(weight.shape) for weight in weights])
    images = tf.Variable(golden["synthetic"], dtype=tf.float64)
    sgd = ImageSGD(images, float(golden["lr_img"]), float(golden["momentum"]))
    inner = int(golden["inner_loop"])
    schedule = ContrastSchedule(
        inner, int(golden["outer_warmup"]), int(golden["inner_warmup"])
    )
    training_of = InnerSchedule(
        int(golden["T"]), int(golden["batch"]), float(golden["lr_net"])
    )
    for step in range(inner):
        phase = schedule.phase_of(int(golden["outer"]) * inner + step)
        assert bool(phase.number) == golden["contrast"][step]
        real = tf.constant(golden["real"][step], tf.float64)
        with tf.GradientTape() as tape:
            loss = loss_in_one_graph(
                network, weights, real, tf.convert_to_tensor(images), phase.number
            )
        assert error(loss, golden["loss"][step]) <= 1e-9
        sgd.apply(tape.gradient(loss, images))
        assert error(images, golden["images"][step]) <= 1e-6
        if step < inner - 1:
            training = GivenTraining(network, training_of, golden["order"][step])
            flat = tf.reshape(images, [-1, *images.shape[2:]])
            seen = (flat, tf.repeat(tf.range(3), 2), tf.constant([0, 0]))
            weights = training.train(weights, *seen)
    for found, expected in zip(weights, golden.weights("final_"), strict=True):
        assert error(found, expected) <= 1e-9


@pytest.mark.parametrize("ipc", [1, 10, 20, 30, 40, 50])
def test_loops_and_schedule_equal_golden(ipc):
    golden = Golden("dcc", f"schedule_ipc{ipc}_")
    assert METHODS["dcc"].loops[ipc] == tuple(golden["loops"])
    expected = golden["contrast"].ravel()
    updates = int(golden["loops"][0])
    schedule = ContrastSchedule(updates, 250, 10)
    iteration, found = 0, []
    # As the program's loop asks: for a phase, then at its end again.
    while iteration < len(expected):
        number, end = schedule.phase_of(iteration)
        end = min(len(expected), end or len(expected))
        assert end > iteration
        assert {schedule.phase_of(i).number for i in (iteration, end - 1)} == {number}
        found += [number] * (end - iteration)
        iteration = end
    np.testing.assert_array_equal(np.array(found, bool), expected)


@pytest.mark.parametrize(
    ("warmups", "contrast"),
    [
        ((0, 10), "1111"),
        ((9, 0), "1111"),
        ((1, 1), "0111"),
        ((2, 1), "0101"),
        ((1, 2), "0011"),
        ((9, 9), "0000"),
    ],
)
def test_other_warm_ups(warmups, contrast):
    schedule = ContrastSchedule(2, *warmups)
    phases = [schedule.phase_of(iteration) for iteration in range(4)]
    assert "".join(str(phase.number) for phase in phases) == contrast
    for iteration, (number, end) in enumerate(phases):
        last = 4 if end is None else min(end, 4)
        assert {phases[i].number for i in range(iteration, last)} == {number}
