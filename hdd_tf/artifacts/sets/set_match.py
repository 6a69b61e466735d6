"""Whether a set is of the data set that its networks are tested on."""

from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError


def check_matches(distilled_set: DistilledSet, dataset: Dataset) -> None:
    """Checks that a set has the images' shape and the classes of a data set.

    Args:
        distilled_set: The set, with its soft labels or its teacher.
        dataset: The data set.

    Raises:
        InputError: the images or the number of classes are others, or the classes are
            the same in another order.
    """
    names, known = distilled_set.class_names, tuple(map(str, dataset.label_names))
    shape = tuple(distilled_set.images.shape[1:])
    if (shape, len(names)) != (dataset.image_shape, dataset.num_classes):
        raise InputError(
            f"the set holds {len(names)} classes of {shape} images, but "
            f"--dataset={dataset.name} has {dataset.num_classes} of "
            f"{dataset.image_shape}; name the data set it was distilled from."
        )
    # Names may be spelt anew. The same ones in another order are other labels, of the
    # images, in their soft labels and in what a teacher says.
    if names != known and sorted(names) == sorted(known):
        label = next(i for i, name in enumerate(names) if name != known[i])
        raise InputError(
            f"the set and its labels have their classes in another order than "
            f"--dataset={dataset.name}: class {label} is {names[label]!r} there and "
            f"{known[label]!r} here; name the data set it was distilled from"
        )
