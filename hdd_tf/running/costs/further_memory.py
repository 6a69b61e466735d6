"""The memory of what trains on the real images beside the matching."""

from hdd_tf.config import Config
from hdd_tf.data.memory import available_memory
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import METHODS, WHOLE
from hdd_tf.methods.traits import Encoder


def prunes_by_radius(config: Config) -> bool:
    """Whether a network trains to choose the images to keep."""
    return config.keep_fraction < 1 and config.keep != "random"


def further_copies(config: Config) -> int:
    """Returns how often a run holds the real images beside the copies of its start."""
    traits, baselines = config.traits, config.baselines if config.num_eval else ()
    ahead = bool(traits.ahead_source) or prunes_by_radius(config)
    trains = [traits, *(METHODS[name] for name in baselines if name in METHODS)]
    # The network of coresets stays in memory beside that of the whole set.
    scored = any(each.trains_network for each in trains)
    whole = config.num_eval > 0 and (WHOLE in baselines or config.fair_score)
    encoder = config.analysis and traits.encoder is Encoder.TRAINED
    return max(int(ahead), int(encoder), int(scored) + int(whole))


def check_further_memory(run: RunContext) -> None:
    """Checks that what follows the matching has the memory that it takes.

    Raises:
        InputError: it is more than there is.
    """
    size = run.dataset.training.images.nbytes
    needed, available = further_copies(run.config) * size, available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"memory does not hold the real images for the networks that train on them "
            f"beside the run: {needed:,} bytes more are needed, and {available:,} are "
            "available: leave out --baselines and --fair_score and give --noanalysis, "
            "or give a smaller --image_size or fewer --classes."
        )
