"""MTT and DATM: training on the set leads where training on real images leads.

An iteration starts a student where an expert was after some epoch, trains it for a
number of steps on the synthetic images, and moves images, learning rate and (DATM)
labels so that it ends nearer to where the expert was some epochs later.

Sources: Cazenavette et al., "Dataset Distillation by Matching Training Trajectories",
CVPR 2022, arXiv 2203.11932; its program, GeorgeCazenavette/mtt-distillation at 50dccea,
with the commands of justincui03/dc_benchmark at 2a57711. Guo et al., "Towards Lossless
Dataset Distillation via Difficulty-Aligned Trajectory Matching", ICLR 2024, arXiv
2310.05773; its program, NUS-HPC-AI-Lab/DATM at 97ae510.
"""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.method import IterativeMethod, Metrics
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.objectives.gradient_matching.second_derivatives import (
    check_twice_differentiable,
)
from hdd_tf.objectives.trajectories.batches import step_rows
from hdd_tf.objectives.trajectories.draws import StartEpochs, TrajectoryDraws
from hdd_tf.objectives.trajectories.end_loss import end_loss_of
from hdd_tf.objectives.trajectories.experts import TrajectoryShelf
from hdd_tf.objectives.trajectories.flat_weights import FlatWeights
from hdd_tf.objectives.trajectories.initial_images import Beginning
from hdd_tf.objectives.trajectories.set_gradient import SetGradient
from hdd_tf.objectives.trajectories.student import Student
from hdd_tf.random_keys import Purpose, derive_key

# Maps of the first layer that a step's second derivatives keep of an image.
_KEPT = 14


class TrajectoryMatching(IterativeMethod):
    """Matches the ends of a student's and of an expert's training.

    Args:
        context: The run's settings, data, network and devices.
        shelf: The experts.
        beginning: What makes images and logits of soft labels from experts; None for
            the initial images of the settings, with classes as labels.

    Raises:
        InputError: settings and data do not fit.
    """

    def __init__(
        self,
        context: MethodContext,
        shelf: TrajectoryShelf,
        beginning: Beginning | None = None,
    ) -> None:
        self._context, self._shelf, self._beginning = context, shelf, beginning
        config = context.config
        if config.formation_factor > 1:
            raise InputError(
                f"--formation_factor={config.formation_factor} is not for "
                f"--objective={config.objective}, whose students train on the stored "
                "images: leave it at 1"
            )
        check_twice_differentiable(
            context.network, "the gradient goes back through a student's training"
        )
        self._start: tf.Tensor | None = context.initial_images()
        shelf.check_room()
        self._logits: np.ndarray | None = None
        epochs = StartEpochs(
            config.trajectory_least,
            config.trajectory_first or config.trajectory_bound,
            config.trajectory_bound,
            config.trajectory_widening if config.trajectory_first else 0,
        )
        self._draws = TrajectoryDraws(
            config.seed, config.trajectory_experts, epochs, config.trajectory_span
        )
        self._names = dsa.parse_strategy(config.dsa)
        # What happened, and what of it was told: a skipped update, a rate below 0. No
        # part of the state: it changes no image.
        self._seen = tf.Variable([False, False], trainable=False)
        self._told = [False, False]

    def train_ahead(self) -> None:
        """Trains the experts, and asks them about images where that is the start."""
        context, shelf = self._context, self._shelf
        shelf.complete(dry_run=context.dry_run, progress=context.config.progress)
        if self._beginning is not None and self._start is not None:
            self._start, self._logits = self._beginning.of(
                shelf.number,
                functools.partial(shelf.weights, dry_run=context.dry_run),
                self._start,
            )

    def assemble(self) -> None:
        """Makes the images, labels and rate, and their optimisers."""
        context, config = self._context, self._context.config
        if self._start is None:
            raise ValueError("a method is assembled once.")
        if self._beginning is not None and self._logits is None:
            raise ValueError("`train_ahead` comes before `assemble`.")
        self.synthetic_set = context.synthetic_set(
            self._start, self._logits, config.student_rate
        )
        # The variables hold the images now, and the initial images can be large.
        self._start = self._logits = None
        learnt, momentum = self.synthetic_set, config.image_momentum
        rates = [(learnt.images, config.image_lr, momentum)]
        if learnt.label_logits is not None:
            rates.append((learnt.label_logits, config.label_lr, config.label_momentum))
        rates.append((learnt.student_rate, config.student_rate_lr, momentum))
        with context.strategy.scope():
            self._optimisers = [ImageSGD(*each) for each in rates]
        num_classes, ipc = learnt.images.shape[:2]
        count = num_classes * ipc
        self._labels = tf.repeat(tf.range(num_classes), ipc)
        self._batch = min(config.student_batch or count, count)
        self._gradient = SetGradient(
            context.strategy,
            Student(context.network.logits, FlatWeights(context.network.weight_shapes)),
            end_loss_of(config),
            self._batch,
            context.images_of_pass(_KEPT),
        )
        self._snapshots = self._shelf.reader(dry_run=context.dry_run)

    def state(self) -> Mapping[str, Any]:
        """Returns the set and the velocities of all that is learnt."""
        velocities = [optimiser.velocity for optimiser in self._optimisers]
        images, *labels, rate = velocities
        state = {"synthetic_set": self.synthetic_set, "velocity": images}
        for velocity in labels:
            state["label_velocity"] = velocity
        return state | {"rate_velocity": rate}

    def iterate(self, iteration: tf.Tensor, phase: int) -> Metrics:
        """Trains a student, and moves what is learnt.

        Returns:
            The loss, shared evenly by all classes, and the norm of the gradient of the
            images. Both are zero if nothing moved and the loss is not finite.
        """
        learnt, config = self.synthetic_set, self._context.config
        num_classes = learnt.images.shape[0]
        matched = self._matched(iteration)
        gradients = [
            tf.reshape(gradient, variable.shape)
            for gradient, variable in zip(
                [*matched.learnt, matched.rate], self._variables(), strict=True
            )
        ]
        loss, norm = matched.loss, tf.sqrt(tf.reduce_sum(gradients[0] ** 2))
        moves = None
        if config.trajectory_threshold:
            # A comparison with NaN is False. The gradient may overflow by itself.
            moves = loss <= config.trajectory_threshold
            for gradient in gradients:
                moves &= tf.reduce_all(tf.math.is_finite(gradient))
            finite = tf.math.is_finite(loss)
            loss = tf.where(finite, loss, 0.0)
            norm = tf.where(moves, norm, 0.0)
        for optimiser, gradient in zip(self._optimisers, gradients, strict=True):
            optimiser.apply(gradient, where=moves)
        skipped = tf.constant(False) if moves is None else ~moves
        below = tf.convert_to_tensor(self._variables()[-1]) < 0.0
        self._seen.assign(self._seen | tf.stack([skipped, below]))
        return {
            "loss_per_class": tf.fill([num_classes], loss / num_classes),
            "gradient_norm": norm,
        }

    def check_reads(self, start: int, count: int) -> None:
        """Checks the snapshots of iterations, each whole at its first use."""
        for expert, *epochs in self._draws.of_iterations(start, count):
            for epoch in epochs:
                self._snapshots.check(int(expert), int(epoch))

    def finite_classes(self) -> tf.Tensor:
        """Returns `[C]` bool, True for classes whose learnt state is finite.

        The student's rate is part of every class.
        """
        *of_classes, rate = self._optimisers
        finite = [optimiser.finite_classes() for optimiser in of_classes]
        return tf.reduce_all(finite, axis=0) & rate.finite_classes()

    def remedy(self) -> str:
        """Says what to change where the run has diverged."""
        rate = float(self._variables()[-1].numpy())
        return (
            f"The student's learning rate is {rate:.3g} by now: give a lower "
            "--student_rate_lr (or --student_rate), or a lower --image_lr, or a "
            "--trajectory_threshold such as 1, above which nothing moves."
        )

    def notice(self) -> str:
        """Returns a line when an update was skipped, or the rate fell below 0."""
        lines = (
            "an iteration moved nothing, for its loss was above "
            f"--trajectory_threshold={self._context.config.trajectory_threshold:g} or "
            "not finite",
            "the student's learning rate has fallen below 0, where training leads "
            "away: a lower --student_rate_lr avoids that",
        )
        seen = self._seen.numpy()
        new = [i for i in range(2) if seen[i] and not self._told[i]]
        self._told = [bool(x) for x in seen]
        told = "; ".join(lines[i] for i in new)
        return f"{told} (said once; later iterations may too)" if told else ""

    def _variables(self) -> list[tf.Variable]:
        learnt = self.synthetic_set
        variables = learnt.images, learnt.label_logits, learnt.student_rate
        return [variable for variable in variables if variable is not None]

    def _matched(self, iteration: tf.Tensor) -> Any:
        """Returns loss and gradient of an iteration's student."""
        config, learnt = self._context.config, self.synthetic_set
        expert, *ends = tf.unstack(self._draws.draw(iteration))
        path = tuple(self._snapshots.read(expert, epoch) for epoch in ends)
        key = derive_key(config.seed, Purpose.TRAJECTORY_STEPS, iteration)
        images = tf.convert_to_tensor(learnt.images)
        images = tf.reshape(images, [-1, *images.shape[2:]])
        labels = self._labels
        if learnt.label_logits is not None:
            logits = tf.convert_to_tensor(learnt.label_logits)
            labels = tf.reshape(logits, [-1, logits.shape[-1]])
        rows = step_rows(key, images.shape[0], self._batch, config.student_steps)
        augmentation = derive_key(config.seed, Purpose.AUGMENTATION, iteration)
        height, width = images.shape[1:3]

        def augment(step: tf.Tensor) -> dsa.DSAParameters | None:
            if not self._names:
                return None
            return dsa.draw(
                derive_key(augmentation, step),
                self._batch,
                height,
                width,
                one_of=self._names,
                same_choice=True,
            )

        rate = tf.convert_to_tensor(learnt.student_rate)
        return self._gradient.compute(path, rate, images, labels, rows, augment)
