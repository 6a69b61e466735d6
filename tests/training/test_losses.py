"""Losses with soft labels: against the released programs, oracles and definitions."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.protocols import losses
from hdd_tf.protocols.losses import Mixing, batch_loss
from hdd_tf.protocols.training_protocol import TrainingProtocol

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
EVERY = [
    ("soft", losses.SOFT_LOSSES["soft"]),
    ("kl", losses.SOFT_LOSSES["kl"]),
    ("mse", losses.SOFT_LOSSES["mse"]),
]


def read(name):
    return np.load(GOLDEN / name, allow_pickle=False)


def log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def oracle(name, labels, logits, temperature):
    """One image and one class at a time, in float64."""
    found = []
    for label, logit in zip(labels, logits, strict=True):
        t = temperature if name == "kl" else 1.0
        log_q, log_p = log_softmax(label / t), log_softmax(logit / t)
        terms = {
            "soft": lambda c, q=log_q, p=log_p: -np.exp(q[c]) * p[c],
            "kl": lambda c, q=log_q, p=log_p: np.exp(q[c]) * (q[c] - p[c]),
            "mse": lambda c, a=label, b=logit: (a[c] - b[c]) ** 2 / len(a),
        }[name]
        found.append(sum(terms(c) for c in range(len(label))))
    return np.array(found)


def test_soft_cross_entropy_is_that_of_datm():
    golden = read("datm.npz")
    logits = tf.constant(golden["soft_ce_logits"])
    targets = tf.constant(golden["soft_ce_targets"])
    with tf.GradientTape() as tape:
        tape.watch([logits, targets])
        loss = tf.reduce_mean(losses.soft_cross_entropy(targets, logits))
    of_logits, of_targets = tape.gradient(loss, [logits, targets])
    np.testing.assert_allclose(loss, golden["soft_ce_loss"], rtol=1e-12)
    np.testing.assert_allclose(of_logits, golden["soft_ce_grad_logits"], atol=1e-12)
    np.testing.assert_allclose(of_targets, golden["soft_ce_grad_targets"], atol=1e-12)


def test_kl_is_that_of_d4m():
    golden = read("d4m.npz")
    student, teacher = (tf.constant(golden[f"kl_{n}"]) for n in ("student", "teacher"))
    with tf.GradientTape() as tape:
        tape.watch(student)
        values = losses.kl_divergence(teacher, student, float(golden["kl_temperature"]))
        loss = tf.reduce_mean(values)
    gradient = tape.gradient(loss, student)
    np.testing.assert_allclose(loss, golden["kl_loss"], rtol=1e-12)
    np.testing.assert_allclose(gradient, golden["kl_grad_student"], atol=1e-12)


def test_kl_is_that_of_rded():
    golden = read("rded.npz")
    logits = tf.constant(golden["kl_student_logits"])
    protocol = TrainingProtocol(
        1, loss="kl", labels="teacher", temperature=float(golden["cfg_T"])
    )
    with tf.GradientTape() as tape:
        tape.watch(logits)
        teacher = tf.constant(golden["kl_teacher_logits"])
        loss = batch_loss(protocol, tf.zeros(5, tf.int32), teacher, None, logits)
    np.testing.assert_allclose(loss, golden["kl_loss"], rtol=1e-5)
    expected = golden["kl_gradient"]
    np.testing.assert_allclose(
        tape.gradient(loss, logits), expected, atol=1e-5 * np.abs(expected).max()
    )


def test_squared_error_and_classes_are_those_of_gvbsm():
    golden = read("gvbsm.npz")
    logits = tf.constant(golden["student_logits0"])
    # Stored labels of a mixed view; the class is that of the base image.
    labels = tf.constant(golden["soft_logits"][:4].astype(np.float64))
    classes = tf.constant(golden["real_labels"][:4].astype(np.int32))
    mixing = Mixing(tf.constant(golden["student_partner0"]), tf.constant(0.5))
    protocol = TrainingProtocol(
        1, loss="mse", labels="epochs", hard_weight=float(golden["cfg_ce_weight"])
    )
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = batch_loss(protocol, classes, labels, mixing, logits)
    np.testing.assert_allclose(loss, golden["student_loss0"], rtol=1e-6)
    expected = golden["student_logit_gradient0"]
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-6)


@pytest.mark.parametrize("name, loss", EVERY)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 20.0])
@pytest.mark.parametrize("classes", [2, 10, 101])
def test_losses_are_those_of_a_loop(name, loss, temperature, classes):
    rng = np.random.default_rng(classes)
    labels, logits = rng.normal(0, 3, (2, 6, classes))
    found = loss(tf.constant(labels), tf.constant(logits), temperature)
    np.testing.assert_allclose(
        found, oracle(name, labels, logits, temperature), rtol=1e-10
    )
    # A divergence and an error vanish where both say the same; a cross-entropy has its
    # smallest value there.
    same = loss(tf.constant(labels), tf.constant(labels), temperature)
    assert (same.numpy() <= found.numpy()).all()
    if name != "soft":
        np.testing.assert_allclose(same, 0, atol=1e-12)


@pytest.mark.parametrize("name, loss", EVERY)
def test_learnt_labels_have_a_second_derivative(name, loss):
    """What gradients of labels through a step of training are made of."""
    rng = np.random.default_rng(0)
    labels, logits, direction = (tf.constant(rng.normal(size=(3, 4))) for _ in "abc")

    def slope(labels):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            total = tf.reduce_sum(loss(labels, logits, 2.0))
        return tf.reduce_sum(direction * tape.gradient(total, logits))

    (analytic,), (numeric,) = tf.test.compute_gradient(slope, [labels])
    np.testing.assert_allclose(analytic, numeric, atol=1e-7)
    assert np.abs(analytic).min() > 1e-4


@pytest.mark.parametrize("name, loss", EVERY)
@pytest.mark.parametrize("size", [1e4, 1e8])
def test_extreme_logits_have_finite_losses_and_gradients(name, loss, size):
    labels = tf.constant([[size, -size, 0.0], [0.0, 0.0, 0.0], [size, size, -size]])
    for logits in (labels, -labels, tf.zeros_like(labels), labels[::-1]):
        with tf.GradientTape() as tape:
            tape.watch([labels, logits])
            values = loss(labels, logits, 20.0)
        gradients = tape.gradient(values, [labels, logits])
        for tensor in (values, *gradients):
            assert np.isfinite(tensor.numpy()).all(), (name, logits)


@pytest.mark.parametrize("name", ["soft", "kl", "mse"])
def test_labels_of_images_mix_as_the_images_do(name):
    rng = np.random.default_rng(1)
    labels, logits = rng.normal(size=(2, 5, 4)).astype(np.float32)
    partner, share, classes = np.array([1, 2, 3, 4, 0]), 0.3, np.arange(5) % 4
    mixing = Mixing(tf.constant(partner), tf.constant(share))
    own = oracle(name, labels, logits, 1.0).mean()
    foreign = oracle(name, labels[partner], logits, 1.0).mean()
    hard = -log_softmax(logits)[np.arange(5), classes].mean()
    for source, expected in (
        ("stored", share * own + (1 - share) * foreign),
        # These are labels of the mixed images.
        ("epochs", own),
        ("teacher", own),
    ):
        for weight in (0.0, 0.25):
            protocol = TrainingProtocol(1, loss=name, labels=source, hard_weight=weight)
            found = batch_loss(
                protocol,
                tf.constant(classes, tf.int32),
                tf.constant(labels),
                mixing,
                tf.constant(logits),
            )
            np.testing.assert_allclose(found, expected + weight * hard, rtol=1e-5)


def test_classes_mix_as_the_images_do():
    logits = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    classes, partner = np.array([0, 2, 3]), np.array([2, 0, 1])
    found = batch_loss(
        TrainingProtocol(1),
        tf.constant(classes, tf.int32),
        None,
        Mixing(tf.constant(partner), tf.constant(0.6)),
        tf.constant(logits),
    )
    nll = -log_softmax(logits)
    rows = np.arange(3)
    expected = 0.6 * nll[rows, classes] + 0.4 * nll[rows, classes[partner]]
    np.testing.assert_allclose(found, expected.mean(), rtol=1e-6)
