"""Progress bars: one line that changes in a terminal, a line now and then elsewhere."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

# Between lines in a file, and before the first.
_SECONDS_BETWEEN_LINES = 30.0


class _Lines(tqdm):
    """Progress in whole lines, for outputs in which no cursor goes back.

    A bar of tqdm there is one line, which grows by megabytes a day.
    """

    @staticmethod
    def status_printer(file: Any) -> Callable[[str], None]:
        """Returns the function that writes a state of the bar."""

        def write(text: str) -> None:
            file.write(f"{text}\n")
            file.flush()

        return write

    def close(self) -> None:
        """Writes the last state, if there was an earlier one."""
        # tqdm's own way to close writes it as `status_printer` does, and then moves the
        # cursor by writing into this.
        self.fp = io.StringIO()
        super().close()


def progress_bar(
    title: str, total: int, unit: str, shown: bool, initial: int = 0
) -> Any:
    """Returns a progress bar, a context.

    Args:
        title: What is done.
        total: How much there is to do.
        unit: What is counted.
        shown: False to show no bar.
        initial: How much is done already.

    Returns:
        The bar, whose `update` takes how much was just done.
    """
    if sys.stderr is None:
        shown = False
    settings: dict[str, Any] = {"dynamic_ncols": True}
    kind = tqdm
    # A notebook is no terminal, but shows a line that changes.
    if shown and not sys.stderr.isatty() and "ipykernel" not in sys.modules:
        kind, every = _Lines, _SECONDS_BETWEEN_LINES
        settings = {"mininterval": every, "maxinterval": every, "miniters": 1}
        settings["delay"] = every
    return kind(
        desc=title,
        total=total,
        initial=initial,
        unit=unit,
        disable=not shown,
        **settings,
    )


@contextmanager
def epoch_bar(title: str, total: int, shown: bool) -> Iterator[Any]:
    """Shows a progress bar of epochs within its context.

    Args:
        title: Name of the training.
        total: Number of all epochs.
        shown: False to show no bar.

    Yields:
        The bar, whose `update` takes the number of epochs just trained.
    """
    with progress_bar(title, total, "epoch", shown) as bar:
        yield bar
