"""Settings of the matching of training trajectories."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope

# Where soft labels and their images start from.
BEGINNINGS = ("right", "any")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrajectorySettings:
    """Constants of MTT and DATM."""

    HEADING: ClassVar = "Trajectories of experts, and the student of MTT and DATM"

    trajectory_experts: int = setting(
        10,
        parsers.FEW,
        "Networks that mtt and datm train on the real images beforehand, published: "
        "100; kept in --expert_dir, 4 bytes a weight and epoch each.",
        Scope.MATCHING,
    )
    trajectory_epochs: int = setting(
        50,
        parsers.FEW,
        "Epochs that each of these trains, published: 50 (mtt) and 100 (datm). Matched "
        "are those up to --trajectory_bound + --trajectory_span - 1; datm also asks "
        "the weights after the last one about images.",
        Scope.MATCHING,
    )
    trajectory_batch: int = setting(
        256,
        parsers.COUNT,
        "Images per training batch of these networks.",
        Scope.MATCHING,
    )
    trajectory_span: int = setting(
        2,
        parsers.FEW,
        "Epochs M of the expert that a student's steps are to replace.",
        Scope.MATCHING,
    )
    trajectory_least: int = setting(
        0,
        parsers.FEW_OR_ZERO,
        "First epoch of an expert that a student may start from.",
        Scope.MATCHING,
    )
    trajectory_first: int = setting(
        0,
        parsers.FEW_OR_ZERO,
        "Epoch below which students start in the first iteration; it grows evenly to "
        "--trajectory_bound. 0: --trajectory_bound from the start.",
        Scope.MATCHING,
    )
    trajectory_bound: int = setting(
        20,
        parsers.FEW,
        "Epoch of an expert below which students start, from iteration "
        "--trajectory_widening on.",
        Scope.MATCHING,
    )
    trajectory_widening: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Iterations in which it grows from --trajectory_first to --trajectory_bound.",
        Scope.MATCHING,
    )
    trajectory_threshold: float = setting(
        0.0,
        parsers.NOT_NEGATIVE,
        "An iteration of a larger loss, or of none that is finite, moves nothing. 0: "
        "every iteration moves the set, and a loss that is not finite ends the run.",
        Scope.MATCHING,
    )
    trajectory_radius: float = setting(
        2.0,
        parsers.ROW_RADIUS,
        "Length of the expert's path in the tangent space of its start. Unused in "
        "euclidean geometry.",
        Scope.MATCHING,
        geometries=("hyperbolic",),
    )
    trajectory_init: str = choice(
        "right",
        BEGINNINGS,
        "What datm starts from with --init=real: right = images that the experts "
        "classify rightly, any = random ones, with the first expert's logits.",
        Scope.MATCHING,
    )
    student_steps: int = setting(
        30,
        parsers.FEW,
        "Steps N of plain SGD on the synthetic images in an iteration.",
        Scope.MATCHING,
    )
    student_batch: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Synthetic images of a step. 0: all of them.",
        Scope.MATCHING,
    )
    student_rate: float = setting(
        0.01,
        parsers.POSITIVE,
        "Learning rate of the student at the start of the run, which learns it.",
        Scope.MATCHING,
    )
    student_rate_lr: float = setting(
        1e-5,
        parsers.NOT_NEGATIVE,
        "Learning rate of SGD on --student_rate, with --image_momentum. 0: it stays.",
        Scope.MATCHING,
    )
    label_lr: float = setting(
        2.0,
        parsers.NOT_NEGATIVE,
        "Learning rate of SGD on the logits of datm's soft labels. 0: they stay.",
        Scope.MATCHING,
    )
    label_momentum: float = setting(
        0.9,
        parsers.PART,
        "Momentum of the SGD on these logits.",
        Scope.MATCHING,
    )
