"""Detects images that have diverged, and suggests a remedy."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hdd_tf.errors import InputError

_NAMED_CLASSES = 3


def check_finite(
    metrics: Mapping[str, np.ndarray],
    start: int,
    label_names: Sequence[str] = (),
    remedy: Callable[[], str] = lambda: "Give a lower --image_lr.",
) -> None:
    """Checks that loss, gradient and images of some iterations are finite.

    Args:
        metrics: Metrics from `DistillationStep.run`, as arrays.
        start: Iterations done before these.
        label_names: Names of the classes; empty names them by their numbers.
        remedy: Function that returns what the message advises, as sentences.

    Raises:
        InputError: a loss, a gradient or the images are not finite.
    """
    loss, norm = metrics["loss_per_class"], metrics["gradient_norm"]
    lost = ~metrics["finite_images"]
    bad = ~np.isfinite(loss)
    rows = np.flatnonzero(bad.any(axis=1) | ~np.isfinite(norm))
    if not rows.size and not lost.any():
        return
    # The first iteration that failed; images are checked after the last one only.
    row = rows[0] if rows.size else len(norm) - 1
    if bad[row].any():
        value = loss[row][bad[row]][0]
        what = f"the loss of {_classes(bad[row], label_names)} is {value} in"
    elif rows.size:
        of = f" of {_classes(lost, label_names)}" if lost.any() else ""
        what = f"the gradient{of} has the norm {norm[row]} in"
    else:
        what = f"the images of {_classes(lost, label_names)} are not finite after"
    raise InputError(
        f"{what} iteration {start + row + 1}: the images have diverged. {remedy()} "
        "A run begins anew in another --run_dir; its checkpoints are from before, and "
        "finite."
    )


def _classes(chosen: np.ndarray, label_names: Sequence[str]) -> str:
    """Returns the names of the classes `chosen`, `[C]` bool, as text."""
    labels = np.flatnonzero(chosen)
    names = []
    for label in labels[:_NAMED_CLASSES]:
        name = label_names[label] if label_names else str(label)
        names.append(str(label) if name == str(label) else f"{label} ({name})")
    more = len(labels) - len(names)
    text = ", ".join(names) + (f" and {more} more" if more else "")
    return f"class {text}" if len(labels) == 1 else f"classes {text}"
