"""Names the classes that have too few images for what is done with them."""

from collections.abc import Sequence

import numpy as np

from hdd_tf.errors import InputError, warn

_SHOWN_NAMES = 5


def check_two_classes(
    subject: str, label_names: Sequence[str], where: str = ""
) -> None:
    """Checks that there are classes to tell apart.

    Args:
        subject: What has or keeps the classes, with the verb, for messages.
        label_names: Names of the classes.
        where: What messages say of where a class belongs.

    Raises:
        InputError: there is one class.
    """
    if len(label_names) == 1:
        raise InputError(
            f"{subject} 1 class ({label_names[0]}); at least two are needed to tell "
            f"apart{where}."
        )


def warn_of_small_classes(
    training: np.ndarray, test: np.ndarray, label_names: Sequence[str]
) -> None:
    """Says in a line each which classes have one training image, or no test image.

    Args:
        training: `[n]` labels of the training split.
        test: `[m]` labels of the test split; empty where there is none.
        label_names: Names of the classes.
    """
    in_training, in_test = (
        np.bincount(labels, minlength=len(label_names)) for labels in (training, test)
    )
    if single := _named(in_training == 1, label_names):
        warn(
            f"{single}: one training image only; nothing can be held out there, and no "
            "more be learnt than that image."
        )
    if len(test) and (untested := _named(in_test == 0, label_names)):
        warn(f"{untested}: no test image, so that no score counts them.")


def warn_of_fewer(labels: np.ndarray, label_names: Sequence[str], ipc: int) -> None:
    """Says in a line which classes have fewer real images than synthetic ones.

    Args:
        labels: `[n]` labels of the training split.
        label_names: Names of the classes.
        ipc: Synthetic images of each class.
    """
    counts = np.bincount(labels, minlength=len(label_names))
    if few := _named(counts < ipc, label_names):
        warn(f"{few}: fewer training images than --ipc={ipc}.")


def _named(chosen: np.ndarray, label_names: Sequence[str]) -> str:
    """Returns how many classes are chosen, and what they are called; "" for none."""
    names = [label_names[label] for label in np.flatnonzero(chosen).tolist()]
    if not names:
        return ""
    more = ", ..." if len(names) > _SHOWN_NAMES else ""
    word = "class" if len(names) == 1 else "classes"
    return f"{len(names)} {word} ({', '.join(names[:_SHOWN_NAMES])}{more})"
