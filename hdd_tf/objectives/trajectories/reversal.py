"""The gradient of a loss at the end of a training, without the graph of the training.

Steps k = 0, ..., N - 1 of plain SGD with the rate a: theta_{k+1} = theta_k - a g_k,
with g_k the gradient of the loss l_k of step k's images X_k and labels Y_k. A tape
around all steps would keep every intermediate value of every step. The same gradient
follows from the theta_k alone, by steps in reverse order: with lam_N = dL / dtheta_N,

    phi_k = lam_{k+1} . g_k(theta_k, X_k, Y_k)
    dL/dX_k = -a dphi_k/dX_k,   dL/dY_k = -a dphi_k/dY_k,   dL/da = -sum of the phi_k
    lam_k = lam_{k+1} - a dphi_k/dtheta_k

So a run keeps N vectors of weights, and the intermediate values of one step. This is
the chain rule, and no approximation. (Cui et al., "Scaling Up Dataset Distillation to
ImageNet-1K with Constant Memory", ICML 2023, keeps lam_N in all steps instead.)
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from hdd_tf.objectives.trajectories.end_loss import EndLoss


class Pulled(NamedTuple):
    """What a step contributes to the gradient.

    Attributes:
        phi: Scalar phi_k.
        theta: `[P]` its derivative by theta_k.
        learnt: Its derivatives by what is learnt, such as images and labels, added to
            what the later steps contributed.
    """

    phi: tf.Tensor
    theta: tf.Tensor
    learnt: list[tf.Tensor]


class Matched(NamedTuple):
    """The loss at the end of a training, and its gradient.

    Attributes:
        loss: Scalar loss L.
        learnt: Derivatives of L by what is learnt.
        rate: Scalar derivative of L by the rate a.
        end: `[P]` last weights theta_N.
    """

    loss: tf.Tensor
    learnt: list[tf.Tensor]
    rate: tf.Tensor
    end: tf.Tensor


def match(
    start: tf.Tensor,
    target: tf.Tensor,
    rate: tf.Tensor,
    steps: int,
    gradient: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    pull: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, list[tf.Tensor]], Pulled],
    end_loss: EndLoss,
    zeros: Sequence[tf.Tensor],
) -> Matched:
    """Trains for some steps, and pulls the gradient of the loss back through them.

    Args:
        start: `[P]` weights theta_0.
        target: `[P]` weights theta* that the loss compares the last ones with.
        rate: Scalar rate a.
        steps: Number of steps N >= 1.
        gradient: Function of a step's number and its weights to the gradient g_k.
        pull: Function of a step's number, its weights, lam_{k+1} and the sums of the
            later steps to `Pulled`.
        end_loss: Loss at the end, with its derivative.
        zeros: Zeros of the shapes of what is learnt.
    """
    # Reading a vector frees it.
    path = tf.TensorArray(
        start.dtype, steps, element_shape=start.shape, clear_after_read=True
    )

    def forward(
        step: tf.Tensor, theta: tf.Tensor, path: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        moved = theta - rate * gradient(step, theta)
        return step + 1, moved, path.write(step, theta)

    _, end, path = tf.while_loop(
        lambda step, *_: step < steps,
        forward,
        (tf.constant(0), start, path),
        parallel_iterations=1,
    )
    loss, adjoint = end_loss(end, start, target)

    def backward(
        step: tf.Tensor, adjoint: tf.Tensor, total: tf.Tensor, learnt: list[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        pulled = pull(step, path.read(step), adjoint, learnt)
        adjoint = adjoint - rate * pulled.theta
        return step - 1, adjoint, total + pulled.phi, pulled.learnt

    _, _, total, learnt = tf.while_loop(
        lambda step, *_: step >= 0,
        backward,
        (tf.constant(steps - 1), adjoint, tf.zeros_like(rate), list(zeros)),
        parallel_iterations=1,
    )
    # The factor -a is the same in all steps.
    return Matched(loss, [-rate * part for part in learnt], -total, end)
