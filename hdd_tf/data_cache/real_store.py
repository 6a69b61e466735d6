"""Whether the real images of a run are in memory or on disk: `--real_store`."""

from collections.abc import Callable, Sequence

from hdd_tf.data.memory import check_memory, fits_into_memory
from hdd_tf.data_cache.cache import DataCache
from hdd_tf.data_cache.entry import Facts
from hdd_tf.errors import InputError
from hdd_tf.settings.data import IN_MEMORY, ON_DISK


def lies_on_disk(
    cache: DataCache,
    name: str,
    num_images: Sequence[int],
    image_shape: tuple[int, int, int],
    facts: Callable[[], Sequence[Facts | None]],
) -> bool:
    """Decides where the images of a data set are during a run.

    Args:
        cache: Where decoded splits are kept, and where the settings want images.
        name: Name of the data set.
        num_images: Number of images of the training split and of all others, of the
            classes that are used.
        image_shape: Height, width and channels.
        facts: Returns what decides the images of each split, None for what lies on
            another machine; called where it matters.

    Returns:
        True for the disk, False for memory.

    Raises:
        InputError: the images fit nowhere, or cannot lie on disk as was asked for.
    """
    num_training, num_held_out = num_images[0], sum(num_images[1:])

    def can_be_there() -> bool:
        found = facts() if cache.is_there else [None]
        return None not in found and cache.can_hold([f for f in found if f])

    # Where nothing may be written, as for the score of a set of another machine whose
    # run asked for it, images lie on disk only if they do already.
    if cache.store == ON_DISK and cache.keeps:
        if not cache.is_there:
            raise InputError(
                f"--real_store={ON_DISK} decodes images into a directory, and "
                "--data_cache names none: give --data_cache=DIR on a disk of this "
                "machine"
            )
        if None in facts():
            raise InputError(
                f"--real_store={ON_DISK}: the files of {name} are not on a disk of "
                f"this machine; copy them, or give --real_store={IN_MEMORY}"
            )
        return True
    if cache.store == IN_MEMORY:
        remedy = f", or --real_store={ON_DISK} where a disk has room"
    else:
        fits = fits_into_memory(num_training, num_held_out, image_shape)
        if (cache.store == ON_DISK or not fits) and can_be_there():
            return True
        remedy = ", or --data_cache=DIR on a disk of this machine with room for them"
        if not cache.keeps:
            remedy = ", or start the run itself first, which decodes them onto a disk"
    check_memory(name, num_training, num_held_out, image_shape, remedy)
    return False
