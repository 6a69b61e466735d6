"""Settings of RDED: the crops, and the network that scores them."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.networks import NETWORKS
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class RdedSettings:
    """Constants of RDED."""

    HEADING: ClassVar = "RDED's crops and observer"

    rded_factor: int = setting(
        1,
        parsers.FEW,
        "Crops along each side of an image, published: 1 for CIFAR, 2 for ImageWoof. "
        "Students permute these cells in the rded protocol.",
        Scope.SHARED,
    )
    rded_images: int = setting(
        300,
        parsers.COUNT,
        "Real images of each class that crops are taken of; a class of fewer gives all "
        "of its images.",
        Scope.MATCHING,
    )
    rded_crops: int = setting(
        5,
        parsers.FEW,
        "Crops of each of these images, of which the best one stands for the image.",
        Scope.MATCHING,
    )
    rded_jpeg: bool = setting(
        False,
        parsers.SWITCH,
        "Pass the images through JPEG of quality 75, as RDED's program keeps them.",
        Scope.MATCHING,
    )
    rded_network: str = choice(
        "convnet_batch",
        NETWORKS,
        "Architecture of the observer, the network that scores crops and labels the "
        "images of students. It trains on the real images beforehand and is kept in "
        "--expert_dir.",
        Scope.MATCHING,
    )
    rded_epochs: int = setting(
        200,
        parsers.FEW,
        "Epochs that the observer trains. How RDED's own trained is unknown; this "
        "training is ours.",
        Scope.MATCHING,
    )
    rded_batch: int = setting(
        128,
        parsers.COUNT,
        "Images per training batch of the observer.",
        Scope.MATCHING,
    )
