"""Settings of the data."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope

# Values of --data_cache that are no directory; an empty one is as `NO_CACHE`.
CACHE_BESIDE_DATA, NO_CACHE = "auto", "none"
# Values of --real_store.
STORES = MEMORY_OR_DISK, IN_MEMORY, ON_DISK = ("auto", "memory", "disk")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Which images are distilled."""

    HEADING: ClassVar = "Data"

    dataset: str = setting(
        "",
        parsers.DATA_SET,
        "Data set to distil: digits (embedded), fashion_mnist, svhn_cropped, cifar10, "
        "cifar100, tiny_imagenet, imagewoof, any TFDS image classification set, or "
        "folder:DIR with a folder of images for each class (and, above them, train/, "
        "validation/ and test/ where the images are split already). Required.",
        Scope.DATA,
        is_cell=True,
    )
    data_dir: str = setting(
        "",
        parsers.PATH,
        "Directory of prepared TFDS data sets, or where tiny_imagenet or imagewoof is "
        "unpacked; empty: TFDS's own default.",
        Scope.PROCESS,
    )
    data_cache: str = setting(
        CACHE_BESIDE_DATA,
        parsers.PATH,
        "Directory where decoded images are kept, so that later starts need not decode "
        "them: auto, a folder hdd_tf_cache beside the data of TFDS, tiny_imagenet and "
        "imagewoof (16 MiB of images and more); none; or a directory for them. It may "
        "be deleted at any time.",
        Scope.PROCESS,
    )
    real_store: str = choice(
        "auto",
        STORES,
        "Where real images are during a run: in memory; or on disk, decoded once into "
        "--data_cache and read as they are used, so that data may be larger than "
        "memory. auto takes memory where they fit. Images and results are the same.",
        Scope.PROCESS,
    )
    image_size: str = setting(
        "",
        parsers.IMAGE_SIZE,
        "Size in pixels that images are brought to: scaled until they just cover it, "
        "then the centre is cut out. Empty: their own, which must be one for all.",
        Scope.DATA,
    )
    classes: tuple[str, ...] = setting(
        (),
        parsers.CLASSES,
        "Classes to keep, by index in the data set or by name (index:1 or name:1 where "
        "a number may be either); they are numbered anew in the order of the data set. "
        "Empty: all.",
        Scope.DATA,
    )
    ipc: int = setting(
        10,
        parsers.COUNT,
        "Synthetic images per class.",
        Scope.DATA,
        is_cell=True,
        is_making_only=True,
    )
    validation_fraction: float = setting(
        None,
        parsers.PART,
        "Part of the training split held out, stratified by class, for choosing "
        "between results; unset: 0 with --select=last, 0.1 with best_validation. A "
        "folder with validation/ and test/ uses those and holds out nothing.",
        Scope.DATA,
    )
    keep_fraction: float = setting(
        1.0,
        parsers.FRACTION,
        "Part of each class's real images that is matched, by --keep; baselines and "
        "scores see all of them.",
        Scope.MATCHING,
        is_unbanked=True,
    )
    keep: str = choice(
        "near_root",
        parsers.KEEP,
        "Which ones: those of smallest or largest hyperbolic radius, which is also the "
        "order of their Lorentz weights, or any.",
        Scope.MATCHING,
        is_unbanked=True,
    )
    keep_epochs: int = setting(
        5,
        parsers.FEW,
        "Epochs that the network behind these radii trains on all real images; kept in "
        "--expert_dir.",
        Scope.MATCHING,
        is_unbanked=True,
    )
