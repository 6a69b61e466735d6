"""The command `hdd-tf sets`: the distilled sets that come with hdd_tf."""

import textwrap
from collections.abc import Sequence

from hdd_tf.cli.outputs import print_product
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.errors import InputError
from hdd_tf.shipped.catalogue import ShippedSet, sets
from hdd_tf.shipped.naming import nearest_names

_HELP = """\
Lists the distilled sets that come with hdd_tf, or tells of one how it was made.

usage: {called} [NAME]

`hdd-tf evaluate --set=NAME` scores such a set, `hdd-tf export NAME --output_dir=DIR`
writes it for other programs, `hdd_tf.load("NAME")` reads it in Python.
"""


def list_sets(argv: Sequence[str]) -> None:
    """Prints the table of sets, or what is known of one.

    Raises:
        InputError: there is no set of the name.
    """
    called, *words = argv
    if wants_help(words):
        print(_HELP.format(called=called), end="")
        return
    if len(words) > 1 or any(word.startswith("-") for word in words):
        raise InputError(f"usage: {called} [NAME]")
    known = {each.name: each for each in sets()}
    if not words:
        print_product(_table(list(known.values())))
        return
    if words[0] not in known:
        raise InputError(
            f"no set {words[0]} comes with hdd_tf: there are "
            f"{', '.join(nearest_names(words[0]))}"
        )
    print_product(_description(known[words[0]]))


def _table(shown: Sequence[ShippedSet]) -> str:
    head = ("set", "images", "kB", "accuracy (%)", "networks", "real", "made by")
    rows = [head, *map(_row, shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _row(each: ShippedSet) -> tuple[str, ...]:
    real = "-" if each.real_mean is None else f"{each.real_mean:.2f}"
    return (
        each.name,
        f"{each.images} of {'x'.join(map(str, each.shape))}",
        f"{each.bytes / 1000:.0f}",
        f"{each.mean:.2f} ± {each.std:.2f}",
        f"{each.networks} x {each.epochs} epochs, {each.network}",
        real,
        f"{each.method}, {each.iterations:,} iterations",
    )


def _description(each: ShippedSet) -> str:
    _, images, size, accuracy, networks, real, made_by = _row(each)
    lines = {
        "set": each.name,
        "directory": str(each.directory),
        "images": f"{images}, {each.ipc} of each class of {each.dataset}; {size} kB",
        "accuracy": f"{accuracy} % on the test split ({networks})",
        "real": f"{real} % by as many real images, chosen at random"
        if each.real_mean is not None
        else "not measured",
        "made by": f"{made_by} in {each.seconds:,.0f} s",
        "commit": each.revision,
        "command": each.command,
    }
    width = max(map(len, lines))
    shown = [f"{title:{width}}  {text}" for title, text in lines.items()]
    return "\n".join([*shown, "", *textwrap.wrap(each.terms, 88)])


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code, as `run_program` does."""
    return run_program(list_sets, argv)
