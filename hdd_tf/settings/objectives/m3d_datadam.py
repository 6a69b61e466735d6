"""Settings of M3D and DataDAM."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope

KERNELS = ("auto", "gaussian", "exponential", "linear", "polynomial", "laplace")


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
