"""Settings that only one objective has, such as `--idm_*` and DANCE's experts."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope

KERNELS = ("auto", "gaussian", "exponential", "linear", "polynomial", "laplace")


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
        parsers.COUNT,
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
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class M3dSettings:
    """Constants of M3D."""

    HEADING: ClassVar = "M3D's kernel"

    m3d_kernel: str = choice(
        "auto",
        KERNELS,
        "Kernel of all pairs of features. gaussian: five widths around the mean "
        "squared distance; exponential (hyperbolic geometry alone): around the mean "
        "geodesic distance; linear: DM's loss; polynomial: squares; laplace: "
        "Gaussians of fixed widths, as M3D's program calls them. auto: gaussian in "
        "euclidean, exponential in hyperbolic geometry.",
        Scope.MATCHING,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatadamSettings:
    """Constants of DataDAM."""

    HEADING: ClassVar = "DataDAM's attention maps"

    datadam_power: int = setting(
        1,
        parsers.COUNT,
        "Power p of the activations in DataDAM's attention maps; its program has 1, "
        "its table 4.",
        Scope.MATCHING,
    )
    datadam_balance: float = setting(
        0.01,
        parsers.NOT_NEGATIVE,
        "Weight lambda of the last features beside DataDAM's attention maps.",
        Scope.MATCHING,
    )
    datadam_batch_norm: bool = setting(
        True,
        parsers.SWITCH,
        "DataDAM matches in ConvNets with batch norm, whose batch are all images of "
        "the iteration, on one device; no: in the network of --network and --norm. "
        "Evaluate with --eval_networks=convnet_batch.",
        Scope.MATCHING,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CafeSettings:
    """Constants of CAFE."""

    HEADING: ClassVar = "CAFE's networks"

    cafe_discrimination_weight: float = setting(
        0.01,
        parsers.NOT_NEGATIVE,
        "Weight of the cross-entropy of real images, which the synthetic class centres "
        "classify.",
        Scope.MATCHING,
    )
    cafe_leave_spread: float = setting(
        0.04,
        parsers.POSITIVE,
        "A network is left when ten values of its watched accuracy differ by less.",
        Scope.MATCHING,
    )
    cafe_train_spread: float = setting(
        0.03,
        parsers.POSITIVE,
        "Between two updates of the images it trains until ten values differ by more.",
        Scope.MATCHING,
    )
    cafe_max_updates: int = setting(
        100,
        parsers.COUNT,
        "Most updates of the images in one network.",
        Scope.MATCHING,
    )
    cafe_max_epochs: int = setting(
        50,
        parsers.COUNT,
        "Most epochs on the synthetic images between two updates of the images.",
        Scope.MATCHING,
    )
    cafe_network_lr: float = setting(
        0.01,
        parsers.POSITIVE,
        "Learning rate of the networks, by plain SGD.",
        Scope.MATCHING,
    )
    cafe_network_batch: int = setting(
        256,
        parsers.COUNT,
        "Synthetic images in a batch of that training.",
        Scope.MATCHING,
    )
    cafe_test_images: int = setting(
        128,
        parsers.COUNT,
        "Real training images of each class that a test of the watched accuracy draws.",
        Scope.MATCHING,
    )
