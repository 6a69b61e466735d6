"""The memory of real images that a run chooses among all."""

import math

from hdd_tf.config import Config
from hdd_tf.data.memory import available_memory
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError


def prunes_by_radius(config: Config) -> bool:
    """Whether a network trains to choose the images to keep."""
    return config.keep_fraction < 1 and config.keep != "random"


def check_further_memory(run: RunContext) -> None:
    """Checks that there is memory for the images that `--keep_fraction` keeps.

    They are a copy beside all images. Networks that train on all images, such as
    experts, encoders and those of baselines, share the memory of the data set.

    Raises:
        InputError: they are more than there is.
    """
    fraction = run.config.keep_fraction
    if fraction == 1:
        return
    needed = math.ceil(fraction * run.dataset.training.images.nbytes)
    available = available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"memory does not hold the images of --keep_fraction={fraction:g} beside "
            f"all: {needed:,} bytes more are needed, and {available:,} are available: "
            "give a smaller part, a smaller --image_size or fewer --classes, or "
            "--real_store=disk."
        )
