"""Settings of CAFE."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import setting
from hdd_tf.settings.scope import Scope


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
