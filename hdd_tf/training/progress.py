"""A bar that counts epochs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


@contextmanager
def epoch_bar(title: str, total: int, shown: bool) -> Iterator[Any]:
    """Shows a bar while its context lasts.

    Args:
        title: What trains.
        total: Epochs in all.
        shown: False for no bar at all.

    Yields:
        The bar; its `update` takes the number of epochs just done.
    """
    with tqdm(
        desc=title, total=total, unit="epoch", disable=not shown, dynamic_ncols=True
    ) as bar:
        yield bar
