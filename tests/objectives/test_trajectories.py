"""Matching of training trajectories: gradients, schedules and experts' updates.

tests/golden/datm.npz holds values of the authors' statements (NUS-HPC-AI-Lab/DATM at
97ae510, AngusDujw/FTD-distillation at 711532a, GeorgeCazenavette/mtt-distillation at
50dccea), in float64.
"""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa, warp
from hdd_tf.config import Config
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.networks.convnet import build_convnet
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.trajectories.batches import step_rows
from hdd_tf.objectives.trajectories.draws import StartEpochs, expert_of
from hdd_tf.objectives.trajectories.end_loss import geodesic, squared_distance
from hdd_tf.objectives.trajectories.flat_weights import FlatWeights
from hdd_tf.objectives.trajectories.initial_images import mean_of_right
from hdd_tf.objectives.trajectories.set_gradient import SetGradient
from hdd_tf.objectives.trajectories.student import Student
from hdd_tf.protocols.losses import cross_entropy, soft_cross_entropy
from hdd_tf.protocols.published import evaluation_protocol
from hdd_tf.protocols.sharpness import flat_gradient
from hdd_tf.random_keys import derive_key
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.training_variables import TrainingState
from tests.objectives.gradient_golden import Golden, PlainNetwork

CLASSES, IPC = 3, 2


@pytest.fixture(scope="module")
def golden():
    return Golden("datm", "")


def unchanged(step):
    """No augmentation."""


class Case:
    """The golden's set and expert in a precision, and the gradient of a few steps."""

    def __init__(self, golden, dtype, end_loss=squared_distance, strategy=None):
        self.golden, self.dtype = golden, dtype
        weights = golden.weights("start_", dtype)
        shapes = [tuple(weight.shape) for weight in weights]
        self.flat = FlatWeights(shapes)
        network = PlainNetwork(shapes)
        if dtype == "float32":
            network = FunctionalNetwork(build_convnet((16, 16, 3), CLASSES, 3, 8))
        self.student = Student(network.logits, self.flat)
        ends = ("start_", "target_")
        self.path = tuple(self.flat.join(golden.weights(e, dtype)) for e in ends)
        self.images = tf.constant(golden["images"], dtype)
        self.logits = tf.constant(golden["label_logits"], dtype)
        self.classes = tf.repeat(tf.range(CLASSES), IPC)
        self.rate = tf.constant(golden["learning_rate"], dtype)
        self._end_loss = end_loss
        self._strategy = strategy or tf.distribute.get_strategy()
        self._traced = {}

    def compute(
        self, rows, labels=None, augment=unchanged, images=None, rate=None,
        most=99,
    ):  # fmt: skip
        key = rows.shape[1], augment, most
        if key not in self._traced:
            gradient = SetGradient(
                self._strategy, self.student, self._end_loss, rows.shape[1], most
            )
            self._traced[key] = tf.function(
                lambda rows, images, labels, rate: gradient.compute(
                    self.path, rate, images, labels, rows, augment
                ),
                autograph=False,
            )
        return self._traced[key](
            tf.constant(rows),
            self.images if images is None else images,
            self.logits if labels is None else labels,
            self.rate if rate is None else rate,
        )


def distance(found, expected):
    """The relative L2 distance."""
    found, expected = (np.asarray(x, np.float64).ravel() for x in (found, expected))
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def check(found, golden, name, tolerance, index=0):
    assert distance(found.loss, golden[f"{name}_loss"][index]) < tolerance
    assert distance(found.learnt[0], golden[f"{name}_grad_images"]) < tolerance
    assert distance(found.rate, golden[f"{name}_grad_lr"][index]) < tolerance
    for labels in found.learnt[1:]:
        assert distance(labels, golden[f"{name}_grad_labels"]) < tolerance


@pytest.fixture(
    scope="module", params=[("float64", 1e-9), ("float32", 1e-5)], ids=lambda p: p[0]
)
def case(request, golden):
    dtype, tolerance = request.param
    return Case(golden, dtype), tolerance


def test_the_gradient_through_five_steps(case, golden):
    case, tolerance = case
    found = case.compute(golden["unroll_batches"])
    check(found, golden, "unroll", tolerance)
    end = case.flat.join(golden.weights("unroll_final_", case.dtype))
    assert distance(found.end, end) < tolerance
    wrong = distance(found.learnt[0], golden["truncated_grad_images"])
    assert wrong > 0.2  # A constant adjoint, as in TESLA, is another gradient.


def augmentation_of(golden, step):
    """The transformation of a step, as `dsa.apply` takes it."""
    get = lambda name: tf.gather(tf.constant(golden[f"augmented_{name}"]), step)  # noqa: E731
    spans = []
    for side in ("row", "column"):
        centre = tf.cast(get(f"cutout_{side}"), tf.int32)
        inside = centre >= 0
        spans += [
            tf.where(inside, tf.maximum(centre - 4, 0), 0),
            tf.where(inside, tf.minimum(centre + 4, 16), 0),
        ]
    color = ("brightness", "saturation", "contrast")
    return dsa.DSAParameters(
        *(tf.cast(get(name), tf.float32) for name in color),
        warp.affine_maps(
            16,
            16,
            shift_rows=get("shift_rows"),
            shift_columns=get("shift_columns"),
            mirror=get("mirror") > 0,
            scale_x=get("scale_x"),
            scale_y=get("scale_y"),
            angle=get("angle"),
        ),
        tf.stack(spans, axis=1),
    )


@pytest.mark.slow
def test_the_gradient_through_augmented_steps(golden):
    case, tolerance = Case(golden, "float64"), 1e-9
    found = case.compute(
        golden["augmented_batches"], augment=lambda k: augmentation_of(golden, k)
    )
    # The parameters of colour are float32.
    check(found, golden, "augmented", max(tolerance, 1e-6))


def test_the_gradient_with_classes_as_labels(golden):
    case, tolerance = Case(golden, "float64"), 1e-9
    found = case.compute(golden["mtt_batches"], labels=case.classes)
    check(found, golden, "mtt", tolerance)
    assert len(found.learnt) == 1


def test_two_iterations_with_momentum(golden):
    """Batches of four of six images: a chunk of two comes first."""
    case = Case(golden, "float64")
    learnt = [tf.Variable(x) for x in (case.images, case.logits, case.rate)]
    rates = [float(golden[f"cfg_lr_{name}"]) for name in ("img", "y", "lr")]
    momenta = 0.5, float(golden["cfg_Momentum_y"]), 0.5
    optimisers = [
        ImageSGD(variable, rate, momentum)
        for variable, rate, momentum in zip(learnt, rates, momenta, strict=True)
    ]
    for index, name in enumerate(("part_batches", "part_batches_second")):
        rows = golden[name]
        assert (rows[0, 2:] == -1).all()
        images, logits, rate = (tf.convert_to_tensor(v) for v in learnt)
        found = case.compute(rows, logits, images=images, rate=rate)
        if index == 0:
            check(found, golden, "part", 1e-9)
        assert distance(found.loss, golden["part_loss"][index]) < 1e-9
        assert distance(found.rate, golden["part_grad_lr"][index]) < 1e-9
        for optimiser, gradient in zip(
            optimisers, [*found.learnt, found.rate], strict=True
        ):
            optimiser.apply(gradient, where=found.loss <= golden["cfg_threshold"])
        after = [golden[f"part_after_{n}"][index] for n in ("images", "labels", "lr")]
        for variable, expected in zip(learnt, after, strict=True):
            assert distance(variable, expected) < 1e-9


def unrolled(case, rows):
    """The oracle: a tape around all steps, in Python."""
    images, logits, rate = case.images, case.logits, case.rate
    with tf.GradientTape() as tape:
        tape.watch([images, logits, rate])
        weights = case.flat.split(case.path[0])
        for row in rows:
            row = row[row >= 0]
            with tf.GradientTape() as inner:
                inner.watch(weights)
                found = case.student._logits(weights, tf.gather(images, row))
                targets = tf.nn.softmax(tf.gather(logits, row))
                loss = -tf.reduce_sum(targets * tf.nn.log_softmax(found)) / len(row)
            gradients = inner.gradient(loss, weights)
            weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
        end, (start, target) = case.flat.join(weights), case.path
        value = case._end_loss(end, start, target)[0]
    found = tape.gradient(value, [images, logits, rate])
    return value, [tf.convert_to_tensor(gradient) for gradient in found]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param("euclidean", marks=pytest.mark.stress), "hyperbolic"]
)
def test_an_unrolled_tape_finds_the_same(golden, name):
    end_loss = squared_distance if name == "euclidean" else geodesic(-1.0, 2.0)
    case, rows = Case(golden, "float64", end_loss), golden["part_batches"][:3]
    found = case.compute(rows)
    value, gradients = unrolled(case, rows)
    assert distance(found.loss, value) < 1e-12
    for own, expected in zip([*found.learnt, found.rate], gradients, strict=True):
        assert distance(own, expected) < 1e-10


@pytest.mark.parametrize(
    ("replicas", "most"),
    [
        (1, 3),
        pytest.param(2, 99, marks=pytest.mark.stress),
        pytest.param(3, 1, marks=pytest.mark.stress),
    ],
)
def test_parts_and_replicas_add_up(golden, replicas, most):
    devices = [f"CPU:{number}" for number in range(replicas)]
    strategy = tf.distribute.MirroredStrategy(devices) if replicas > 1 else None
    case, rows = Case(golden, "float64", strategy=strategy), golden["part_batches"]
    found = case.compute(rows, most=most)
    check(found, golden, "part", 1e-9)


@pytest.mark.stress
def test_memory_of_more_steps_is_that_of_their_weights(golden):
    """The graph is the same for any number of steps, and keeps one vector of each."""
    case, graphs = Case(golden, "float64"), []
    gradient = SetGradient(case._strategy, case.student, squared_distance, 6, 99)
    for steps in (3, 90):
        rows = tf.constant(np.tile(golden["unroll_batches"][:1], [steps, 1]))
        trace = tf.function(
            lambda images, rows=rows: gradient.compute(
                case.path, case.rate, images, case.logits, rows, lambda step: None
            ),
            autograph=False,
        )
        graph = trace.get_concrete_function(case.images).graph.as_graph_def()
        functions = graph.library.function
        nodes = [*graph.node, *(node for f in functions for node in f.node_def)]
        graphs.append(sorted(node.op for node in nodes))
    assert graphs[0] == graphs[1]
    # A tape around the loop would push what each step computes.
    assert "TensorListPushBack" not in graphs[0]
    # The weights of each step; images and logits of the parts of a step.
    assert graphs[0].count("TensorListReserve") == 3


def test_the_hyperbolic_form_tends_to_the_other(golden):
    case = Case(golden, "float64")
    end = case.path[0] + 0.3 * tf.reverse(case.path[1], [0])
    flat_loss, flat = squared_distance(end, *case.path)
    loss, slope = geodesic(-1e-8, 2.0)(end, *case.path)
    assert distance(loss, flat_loss) < 1e-6
    assert distance(slope, flat) < 1e-6
    start = case.path[0]
    assert float(geodesic(-1.0, 2.0)(start, *case.path)[0]) == pytest.approx(1.0)
    at_target = geodesic(-1.0, 2.0)(case.path[1], *case.path)
    assert float(at_target[0]) < 1e-20 and np.isfinite(at_target[1]).all()


def test_bounds_of_start_epochs(golden):
    iterations = tf.constant(golden["bound_iterations"])
    for first, largest, end, widens, *expected in golden["bound_rows"]:
        epochs = StartEpochs(0, int(first), int(largest), int(end) if widens else 0)
        np.testing.assert_array_equal(epochs.bound(iterations), expected)


def test_start_epochs_lie_in_their_range():
    epochs = StartEpochs(2, 3, 6, 100)
    drawn = [[int(epochs.draw(0, tf.constant(i))) for i in range(start, start + 40)]
             for start in (0, 100)]  # fmt: skip
    assert {*drawn[0]} == {2, 3} and {*drawn[1]} == {2, 3, 4, 5}


def test_every_expert_has_its_turn():
    drawn = [int(expert_of(3, tf.constant(i), 5)) for i in range(15)]
    orders = [tuple(drawn[start : start + 5]) for start in (0, 5, 10)]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len({*orders}) > 1


def test_batches_are_chunks_of_permutations():
    rows = step_rows(derive_key(1), 7, 3, 8).numpy()
    assert rows.shape == (8, 3)
    for start in (0, 3):
        chunks = rows[start : start + 3]
        assert (chunks[0, 1:] == -1).all()  # The remainder is the first.
        assert sorted(chunks[chunks >= 0]) == [*range(7)]
    assert (rows[:3] != rows[3:6]).any()


def test_experts_move_by_the_sharpness_aware_update(golden):
    """Three updates of FTD's trainer."""
    case = Case(golden, "float64")
    radius, share, rate = golden["expert_rho_alpha_rate"]
    weights = case.flat.split(case.path[0])
    for images, labels, expected in zip(
        golden["expert_images"], golden["expert_labels"], golden["expert_losses"],
        strict=True,
    ):  # fmt: skip
        losses = []

        def gradient_at(weights, images=images, labels=labels, losses=losses):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                logits = case.student._logits(weights, tf.constant(images))
                loss = cross_entropy(tf.constant(labels), logits)
            losses.append(loss)
            return tape.gradient(loss, weights)

        first = gradient_at(weights)
        moves = flat_gradient(weights, first, gradient_at, radius, share)
        weights = [w - rate * move for w, move in zip(weights, moves, strict=True)]
        assert distance(losses[0], expected) < 1e-9
    end = case.flat.join(golden.weights("expert_final_"))
    start = case.path[0]
    assert distance(case.flat.join(weights) - start, end - start) < 1e-9


def test_labels_are_the_mean_of_the_experts_that_are_right(golden):
    logits = golden["ensemble_logits"]
    labels = np.repeat(np.arange(CLASSES), IPC)
    found = mean_of_right(logits, labels)
    known = np.isfinite(golden["ensemble_labels"]).all(axis=-1)
    assert known.any()
    np.testing.assert_allclose(
        found[known], golden["ensemble_labels"][known], rtol=1e-12
    )
    # An image that every expert mistakes has 0 / 0 in the program.
    wrong = mean_of_right(logits, (logits[0].argmax(-1) + 1) % CLASSES)
    assert np.isfinite(wrong).all()


def test_soft_labels_have_second_derivatives(golden):
    """TensorFlow's own soft cross-entropy has none in the labels."""
    logits, targets = (
        tf.constant(golden[f"soft_ce_{name}"]) for name in ("logits", "targets")
    )
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([logits, targets])
        with tf.GradientTape() as inner:
            inner.watch(logits)
            loss = tf.reduce_mean(soft_cross_entropy(targets, logits))
        gradient = inner.gradient(loss, logits)
        square = tf.reduce_sum(gradient**2)
    assert distance(loss, golden["soft_ce_loss"]) < 1e-12
    assert distance(gradient, golden["soft_ce_grad_logits"]) < 1e-12
    by_targets = outer.gradient(loss, targets)
    assert distance(by_targets, golden["soft_ce_grad_targets"]) < 1e-12
    assert float(tf.norm(outer.gradient(square, targets))) > 1e-3


def test_a_student_of_the_evaluation(golden):
    """Six epochs of DATM's protocol on soft labels, at the learnt rate."""
    epochs, rate = golden["student_epochs_rate"]
    settings = {"eval_epochs": int(epochs) + 1, "eval_dsa": "none"}
    config = Config(dataset="cifar10", objective="datm", **settings)
    protocol = evaluation_protocol(config, "cifar10")
    network = FunctionalNetwork(build_convnet((16, 16, 3), CLASSES, 3, 8))
    trainer = NetworkTrainer(
        network,
        (255 * golden["images"]).astype(np.float32),
        np.repeat(np.arange(CLASSES), IPC),
        Normalisation((0.0,) * 3, (1.0,) * 3),
        protocol,
        label_logits=golden["label_logits"].astype(np.float32),
    )
    trainer.set_learning_rate(float(rate))
    weights = [weight.numpy() for weight in golden.weights("start_", "float32")]
    slots = [np.zeros_like(weight) for weight in weights]
    loss = trainer.train(derive_key(0), resume=TrainingState(0, weights, slots, []))
    expected = golden["student_losses"]
    assert loss == pytest.approx(expected[-1], rel=1e-5)
    for own, theirs in zip(
        trainer.weights, golden.weights("student_final_"), strict=True
    ):
        assert distance(own, theirs) < 1e-5
