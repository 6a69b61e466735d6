"""The images that a run has come to so far."""

from hdd_tf.artifacts.distilled_set import (
    DistilledSet,
    metadata_of_run,
    read_distilled_set,
)
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.distillation.checkpoints import load_images


def newest_images(directory: RunDirectory) -> DistilledSet:
    """Returns the images of a run's newest checkpoint, of a coreset its export.

    Raises:
        InputError: there are none.
    """
    record = directory.read_config()
    if not directory.checkpoints.exists() and directory.synthetic.exists():
        return read_distilled_set(directory.synthetic)
    images, iteration = load_images(directory.path)
    metadata = {**metadata_of_run(record, iteration), "ipc": images.shape[1]}
    return DistilledSet.from_class_images(images, metadata)
