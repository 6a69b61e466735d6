"""Settings of devices, memory and output: none of them changes what comes out."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """Where and in which pieces a run computes."""

    HEADING: ClassVar = "Devices and memory"

    strategy: str = choice(
        "auto",
        ("auto", "one_device", "mirrored"),
        "Devices: auto = mirrored over all GPUs or virtual devices where there are "
        "several, else one device.",
        Scope.PROCESS,
        is_making_only=True,
    )
    num_virtual_devices: int = setting(
        0,
        parsers.DEVICES,
        "Logical CPU devices to split the CPU into; 0: leave it whole.",
        Scope.PROCESS,
        is_making_only=True,
    )
    max_images_per_forward: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Images in one forward pass; bounds memory, same result. 0: as many as keep "
        "the first layer's map within 1.25 GiB, or fewer where the machine or its "
        "container has less than 5.5 GiB.",
        Scope.PROCESS,
        is_making_only=True,
    )
    steps_per_call: int = setting(
        10,
        parsers.COUNT,
        "Iterations in one call into TensorFlow.",
        Scope.PROCESS,
        is_making_only=True,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """What a run writes and shows."""

    HEADING: ClassVar = "What is written and shown"

    run_dir: str = setting(
        "",
        parsers.PATH,
        "Directory of everything the run writes; resumed where it exists. Empty: "
        "runs/<flag file stem>_<objective>_<geometry>_seed<seed>.",
        Scope.START,
    )
    checkpoint_every: int = setting(
        500,
        parsers.COUNT,
        "Iterations between checkpoints.",
        Scope.LOGGING,
        is_cadence=True,
    )
    keep_checkpoints: int = setting(
        2,
        parsers.COUNT_OR_ZERO,
        "Newest checkpoints to keep; 0: all. Where the newest is damaged a run goes on "
        "from the one before, so keep two.",
        Scope.LOGGING,
    )
    picture_every: int = setting(
        1000,
        parsers.COUNT_OR_ZERO,
        "Iterations between pictures of the images; 0: only the first and last.",
        Scope.LOGGING,
        is_cadence=True,
    )
    eval_every: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Iterations between scores on the validation split; 0: only the final score.",
        Scope.LOGGING,
        is_cadence=True,
    )
    log_every: int = setting(
        10,
        parsers.COUNT,
        "Iterations between TensorBoard scalars.",
        Scope.LOGGING,
    )
    progress: bool = setting(
        True,
        parsers.SWITCH,
        "Show a progress bar.",
        Scope.PROCESS,
    )
    profile: bool = setting(
        False,
        parsers.SWITCH,
        "Record one call into TensorFlow, after the first two, for TensorBoard's "
        "Profile tab (pip install tensorboard-plugin-profile).",
        Scope.LOGGING,
    )
    dry_run: bool = setting(
        False,
        parsers.SWITCH,
        "Only print time per iteration, memory and bytes to be written.",
        Scope.START,
    )
