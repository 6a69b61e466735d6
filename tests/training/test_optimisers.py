"""AdamW against its definition; which weights decay."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.protocols.optimisers import AdamW, optimiser_of
from hdd_tf.protocols.schedules import rate_at
from hdd_tf.protocols.training_protocol import TrainingProtocol

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
SHAPES = [(3, 2), (2,)]


def start():
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in SHAPES]


def gradients(step, size=1.0):
    rng = np.random.default_rng(step + 1)
    return [size * rng.normal(size=shape) for shape in SHAPES]


def run(protocol, rates, size=1.0):
    """Updates of the graph; returns the weights and the slots."""
    weights = [tf.Variable(w, dtype=tf.float32) for w in start()]
    optimiser = optimiser_of(protocol)
    slots = [tf.Variable(tf.zeros(shape)) for shape in optimiser.slot_shapes(SHAPES)]

    @tf.function
    def update(gradients, rate):
        optimiser.update(weights, slots, gradients, rate)

    for step, rate in enumerate(rates):
        batch = [tf.constant(g, tf.float32) for g in gradients(step, size)]
        update(batch, tf.constant(rate))
    return [w.numpy() for w in weights], [s.numpy() for s in slots]


def plain_adamw(rates, decay, betas, kernels_only, size=1.0):
    """AdamW in float64, one weight and one number at a time."""
    weights = start()
    for which, weight in enumerate(weights):
        applied = 0.0 if kernels_only and weight.ndim < 2 else decay
        for place in np.ndindex(weight.shape):
            w, m, v = weight[place], 0.0, 0.0
            for step, rate in enumerate(rates):
                g = gradients(step, size)[which][place]
                w -= rate * applied * w
                m = betas[0] * m + (1 - betas[0]) * g
                v = betas[1] * v + (1 - betas[1]) * g * g
                m_hat = m / (1 - betas[0] ** (step + 1))
                v_hat = v / (1 - betas[1] ** (step + 1))
                w -= rate * m_hat / (np.sqrt(v_hat) + 1e-8)
            weight[place] = w
    return weights


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
@pytest.mark.parametrize("kernels_only", [False, True])
# So small that the place of epsilon is felt: Keras' would give other weights.
@pytest.mark.parametrize("size", [1.0, 1e-8])
def test_adamw_by_definition(betas, kernels_only, size):
    protocol = TrainingProtocol(
        1,
        optimiser="adamw",
        weight_decay=0.3,
        betas=betas,
        decay_kernels_only=kernels_only,
    )
    rates = [0.1, 0.1, 0.02, 0.02, 0.01]
    found, slots = run(protocol, rates, size)
    expected = plain_adamw(rates, 0.3, betas, kernels_only, size)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    assert slots[-1] == len(rates)


def test_slots_of_adamw_are_two_moments_and_a_count():
    assert AdamW.slot_shapes(SHAPES) == [*SHAPES, *SHAPES, ()]


@pytest.mark.parametrize("kernels_only", [False, True])
def test_sgd_decays_all_weights_or_kernels(kernels_only):
    protocol = TrainingProtocol(
        1, weight_decay=0.3, momentum=0.5, decay_kernels_only=kernels_only
    )
    found, _ = run(protocol, [0.1, 0.1])
    for which, (mine, weight) in enumerate(zip(found, start(), strict=True)):
        decay = 0.0 if kernels_only and which == 1 else 0.3
        velocity = 0.0
        for step in range(2):
            velocity = 0.5 * velocity + gradients(step)[which] + decay * weight
            weight = weight - 0.1 * velocity
        np.testing.assert_allclose(mine, weight, rtol=1e-5, atol=1e-6)


def test_adamw_is_that_of_d4ms_program():
    golden = np.load(GOLDEN / "d4m.npz", allow_pickle=False)
    names = [name[13:] for name in golden if name.startswith("adamw_before_")]
    protocol = TrainingProtocol(
        5,
        learning_rate=0.001,
        optimiser="adamw",
        weight_decay=0.01,
        decay_kernels_only=True,
        schedule="cosine",
        period=5,
    )
    rates = [rate_at(protocol, epoch) for epoch in range(5)]
    np.testing.assert_allclose(rates, golden["adamw_rates"], rtol=1e-12)
    weights = [tf.Variable(golden[f"adamw_before_{name}"]) for name in names]
    optimiser = optimiser_of(protocol)
    shapes = optimiser.slot_shapes([w.shape for w in weights])
    slots = [tf.Variable(tf.zeros(shape, tf.float64)) for shape in shapes]
    for step, rate in enumerate(rates):
        gradients = [tf.constant(golden[f"adamw_grad_{name}"][step]) for name in names]
        optimiser.update(weights, slots, gradients, tf.constant(rate, tf.float64))
    for name, weight in zip(names, weights, strict=True):
        np.testing.assert_allclose(weight, golden[f"adamw_after_{name}"], rtol=1e-9)
