"""Settings of the images' optimisation."""

import dataclasses
from typing import ClassVar

from hdd_tf.methods.registry import METHODS
from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting, unset
from hdd_tf.settings.scope import Scope


def _not_revisited() -> str:
    return " and ".join(
        name
        for name, traits in METHODS.items()
        if not traits.may_revisit and not traits.is_selection
    )


def _in_unit_range() -> str:
    return " and ".join(name for name, traits in METHODS.items() if traits.unit_range)


def _rate_falls() -> str:
    return " and ".join(name for name, traits in METHODS.items() if traits.rate_falls)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimisationSettings:
    """How the images move."""

    HEADING: ClassVar = "Optimisation"

    image_lr: float = setting(
        None,
        parsers.POSITIVE,
        "Learning rate r of SGD on the images, in normalised pixel units (in units of "
        f"the 0-1 scale with {_in_unit_range()}). {unset('image_lr')}",
        Scope.MATCHING,
        is_of_iterations=True,
        is_unbanked=True,
    )
    image_lr_period: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Iterations in which the rate of the images falls to 0 as half a cosine, with "
        f"{_rate_falls()}; it stays there. 0: --iterations, which cannot grow later.",
        Scope.MATCHING,
        is_of_iterations=True,
        is_unbanked=True,
    )
    image_momentum: float = setting(
        0.5,
        parsers.PART,
        "Momentum of SGD on the images.",
        Scope.MATCHING,
        is_of_iterations=True,
        is_unbanked=True,
    )
    iterations: int = setting(
        None,
        parsers.ITERATIONS,
        "Distillation steps; a larger value extends a finished run. "
        f"{unset('iterations')}",
        Scope.MAY_GROW,
        is_budget=True,
        is_of_iterations=True,
    )
    real_batch: int = setting(
        None,
        parsers.COUNT,
        "Real images per class and iteration, at most the class's size. "
        f"{unset('real_batch')}",
        Scope.MATCHING,
        is_budget=True,
        is_of_iterations=True,
        is_unbanked=True,
    )
    real_bank_size: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Look at the real images in so many iterations only; all later ones revisit "
        "what these saw (network, augmentation, centroids of the real features), and "
        "cost the synthetic side alone. Not with "
        f"{_not_revisited()}. 0: new draws in every iteration, as published.",
        Scope.MATCHING,
        is_of_iterations=True,
    )
    bank_over: str = choice(
        "batch",
        ("batch", "all"),
        "What each of the iterations of --real_bank_size looks at: batch = "
        "--real_batch images of each class; all = every image of each class, in a "
        "pass over the data before the first iteration, whose summaries are kept in "
        "--bank_dir.",
        Scope.MATCHING,
    )
    bank_dir: str = setting(
        "runs/banks",
        parsers.PATH,
        "Where --bank_over=all keeps its summaries; runs that would compute the same "
        "ones share them, and hdd-tf bank computes them beforehand.",
        Scope.PROCESS,
        is_making_only=True,
    )
    bank_networks_at_once: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Networks that --bank_over=all passes a part of a class through before it "
        "reads the next one; same result. 0: as many as fit into 512 MiB.",
        Scope.PROCESS,
        is_making_only=True,
    )
    init: str = setting(
        None,
        parsers.INIT,
        "Where the synthetic images start: real images (with --formation_factor one "
        "in each cell, shrunk bilinearly), mix (shrunk to the nearest pixel), Gaussian "
        "noise, or from:DIR, an earlier set (a run directory, its synthetic/, or the "
        "name of a set that comes with hdd_tf). "
        f"{unset('init')}",
        Scope.MATCHING,
        is_of_iterations=True,
        is_unbanked=True,
    )
    seed: int = setting(
        0,
        parsers.SEED,
        "Every random number of the run follows from it.",
        Scope.SEED,
    )
    num_experiments: int = setting(
        1,
        parsers.FEW,
        "Distillations, with seeds seed, seed + 1, ...; published: 5.",
        Scope.SEED,
        is_command_only=True,
    )
