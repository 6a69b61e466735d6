"""Settings of IDM's pool of networks, and of DANCE's experts."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdmSettings:
    """Constants of IDM."""

    HEADING: ClassVar = "IDM's pool of networks"

    idm_pool_start: int = setting(
        3,
        parsers.FEW,
        "Networks in IDM's pool before the first iteration.",
        Scope.MATCHING,
    )
    idm_pool_size: int = setting(
        100,
        parsers.FEW,
        "Most networks in the pool; beyond, the oldest leaves.",
        Scope.MATCHING,
    )
    idm_join_every: int = setting(
        30,
        parsers.ITERATIONS,
        "Iterations until a fresh network joins the pool.",
        Scope.MATCHING,
    )
    idm_reset_every: int = setting(
        100,
        parsers.COUNT,
        "Iterations until the networks' running training accuracies start anew.",
        Scope.MATCHING,
    )
    idm_train_networks: int = setting(
        2,
        parsers.FEW_OR_ZERO,
        "Networks of the pool that train each iteration.",
        Scope.MATCHING,
    )
    idm_train_steps: int = setting(
        10,
        parsers.FEW,
        "Updates of each of them, on batches of real images.",
        Scope.MATCHING,
    )
    idm_train_batch: int = setting(
        256,
        parsers.FEW,
        "Real images of such a batch, of all classes.",
        Scope.MATCHING,
    )
    idm_train_lr: float = setting(
        0.01,
        parsers.POSITIVE,
        "Learning rate of the networks in the pool.",
        Scope.MATCHING,
    )
    idm_cross_entropy_weight: float = setting(
        0.5,
        parsers.NOT_NEGATIVE,
        "Factor w of the synthetic images' cross-entropy, which counts w x the "
        "matching network's running accuracy in percent.",
        Scope.MATCHING,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DanceSettings:
    """Constants of DANCE."""

    HEADING: ClassVar = "DANCE's experts"

    num_experts: int = setting(
        5,
        parsers.FEW,
        "Networks that DANCE trains on the real images beforehand.",
        Scope.MATCHING,
    )
    pretrain_epochs: int = setting(
        60,
        parsers.FEW,
        "Epochs each of them trains.",
        Scope.MATCHING,
    )
    pretrain_batch: int = setting(
        64,
        parsers.COUNT,
        "Images per training batch of the experts.",
        Scope.MATCHING,
    )
    expert_seed: int = setting(
        0,
        parsers.SEED,
        "Experts are functions of it and not of --seed, so that several seeds share "
        "them (unless a validation split is held out, which differs by seed).",
        Scope.MATCHING,
    )
    expert_dir: str = setting(
        "runs/experts",
        parsers.PATH,
        "Where experts are kept; runs that would train the same ones share them.",
        Scope.PROCESS,
        is_making_only=True,
    )
    dance_max_decoded: int = setting(
        200,
        parsers.COUNT_OR_ZERO,
        "Most synthetic images of a class, after --formation_factor, in one "
        "iteration of dance or m3d; beyond, a random part of them. 0: all.",
        Scope.MATCHING,
        is_unbanked=True,
    )
