"""The filling of a bank over all real images, class by class."""

from collections.abc import Callable, Sequence

import numpy as np

from hdd_tf.distillation.bank.bank_files import BankFiles
from hdd_tf.files import links, lock
from hdd_tf.progress import progress_bar
from hdd_tf.signals import interruptions_named

# (class number, function of the number of images that just passed through a network)
# -> the arrays of the class.
Summaries = Callable[[int, Callable[[int], object]], list[np.ndarray]]


def check(files: BankFiles) -> None:
    """Checks what there is of a bank, and that the rest can be kept, before the work.

    Args:
        files: The files of the bank.

    Raises:
        InputError: a file is damaged or of another bank, the folder cannot be written,
            or the disk is too small.
    """
    missing = files.missing()
    for label in set(range(files.num_classes)).difference(missing):
        files.read(label)
    if missing:
        links.check_writable(files.path, "--bank_dir: ")
        files.check_room(len(missing))


def fill(
    files: BankFiles,
    summaries: Summaries,
    sizes: Sequence[int] | np.ndarray,
    iterations: int,
    progress: bool,
) -> None:
    """Computes the classes that a bank lacks, and keeps each when it is done.

    Several processes may call it at once: one of them computes, and the others wait. A
    bank that is full is not written to, and may lie where nothing can be.

    Args:
        files: The files of the bank.
        summaries: Function that computes a class.
        sizes: `[C]` number of images of each class.
        iterations: Number of iterations, each with a network of its own.
        progress: True to show a progress bar.

    Raises:
        InputError: as `check`.
        InterruptedRunError: a signal stopped it; all classes but one are kept.
        OSError: a file cannot be written.
    """
    check(files)
    if not files.missing():
        return
    with lock.locked(files.path, lambda holder: _print_wait(files, holder)):
        links.refuse_links_out(files.path)
        missing = files.missing()  # Another process may have computed some meanwhile.
        if missing:
            files.begin()
        todo = iterations * int(sum(sizes[label] for label in missing))
        total = iterations * int(sum(sizes))
        with (
            progress_bar("bank", total, "image", progress, total - todo) as bar,
            interruptions_named(),
        ):
            for label in missing:
                files.write(label, summaries(label, bar.update))


def _print_wait(files: BankFiles, holder: str) -> None:
    print(f"waiting for {holder}, which fills the bank {files.path}", flush=True)
