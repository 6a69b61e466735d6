"""Settings of G-VBSM: its pool of networks, statistics and students."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.networks import NETWORKS
from hdd_tf.settings.row import setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class GvbsmSettings:
    """Constants of G-VBSM."""

    HEADING: ClassVar = "G-VBSM's pool, statistics and students"

    gvbsm_pool: str = setting(
        "published",
        parsers.pool_names(NETWORKS),
        "Networks whose statistics are matched, in turn, and whose mean logits are the "
        "labels. published: resnet18_batch,convnet,mobilenet_v2,wide_resnet,"
        "shufflenet_v2. convnet alone, with --gvbsm_roll=0, is for CPUs, and no "
        "published setting.",
        Scope.MATCHING,
    )
    gvbsm_epochs: int = setting(
        5,
        parsers.COUNT,
        "Epochs that each network of the pool trains on the real images beforehand; "
        "kept in --expert_dir.",
        Scope.MATCHING,
    )
    gvbsm_batch: int = setting(
        64,
        parsers.COUNT,
        "Images per training batch of the pool, and per batch of the real statistics, "
        "which are means over batches.",
        Scope.MATCHING,
    )
    gvbsm_group: int = setting(
        100,
        parsers.COUNT,
        "Images of a group, class by class, whose common statistics are matched.",
        Scope.MATCHING,
    )
    gvbsm_statistics_weight: float = setting(
        0.01,
        parsers.NOT_NEGATIVE,
        "Factor of the statistics' distances; the cross-entropy has factor 1.",
        Scope.MATCHING,
    )
    gvbsm_first_weight: float = setting(
        10.0,
        parsers.NOT_NEGATIVE,
        "Further factor of the statistics of the images themselves.",
        Scope.MATCHING,
    )
    gvbsm_memory: float = setting(
        0.8,
        parsers.PART,
        "Share of the old average of the statistics in the next one.",
        Scope.MATCHING,
    )
    gvbsm_skip: float = setting(
        0.4,
        parsers.PART,
        "Probability that a convolution is left out of an iteration.",
        Scope.MATCHING,
    )
    gvbsm_roll: int = setting(
        32,
        parsers.COUNT_OR_ZERO,
        "Most pixels of the cyclic shift of a group's images, down and to the right, "
        "in an iteration. Networks that end in flattened maps, as the ConvNet, know no "
        "such images: 0 with a pool of these alone.",
        Scope.MATCHING,
    )
    gvbsm_density_weight: float = setting(
        1.0,
        parsers.NOT_NEGATIVE,
        "Factor of the densification of each class's images.",
        Scope.MATCHING,
    )
    gvbsm_density_temperature: float = setting(
        4.0,
        parsers.POSITIVE,
        "Temperature of the densification.",
        Scope.MATCHING,
    )
    gvbsm_hard_weight: float = setting(
        0.15,
        parsers.NOT_NEGATIVE,
        "Factor of the classes' cross-entropy beside the squared error of the soft "
        "labels, in the gvbsm protocol of evaluation.",
        Scope.EVALUATION,
    )
