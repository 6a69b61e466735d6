"""The progress bar of training, which counts epochs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


@contextmanager
def epoch_bar(title: str, total: int, shown: bool) -> Iterator[Any]:
    """Shows a progress bar within its context.

    Args:
        title: Name of the training.
        total: Number of all epochs.
        shown: False to show no bar.

    Yields:
        The bar, whose `update` takes the number of epochs just trained.
    """
    with tqdm(
        desc=title, total=total, unit="epoch", disable=not shown, dynamic_ncols=True
    ) as bar:
        yield bar
