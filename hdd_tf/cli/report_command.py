"""The command `hdd-tf report`: runs beside the published numbers."""

import os
import sys
from collections.abc import Sequence

from absl import flags

from hdd_tf.arguments.flag_names import unknown_flag
from hdd_tf.cli.outputs import print_product
from hdd_tf.cli.own_flags import settle_paths, words_of
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.errors import InputError, one_line
from hdd_tf.files import atomic
from hdd_tf.files.links import check_writable
from hdd_tf.report.collect import collect_runs
from hdd_tf.report.plot import save_plot
from hdd_tf.report.rows import group_runs, table_rows
from hdd_tf.report.table import report_text

# Files of these names may be earlier reports; a run's own files have others.
_PAGE = (".html", ".htm")
_WRITTEN_OVER = (".md", *_PAGE, ".txt")
# What is written would be none of these.
_OTHER_FORMATS = (".pdf", ".png", ".svg", ".csv", ".json", ".docx", ".xlsx", ".tex")
# Of a PNG file: an earlier plot.
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_USAGE = "{called} RUN_DIR... [--output=FILE.md|FILE.html] [--plot=FILE.png]"
_HELP = f"""\
Reports runs beside the published numbers.

usage: {_USAGE}

RUN_DIR is a run's directory, that of a command with --num_experiments, or a folder of
such directories (runs/). Runs that are the same but for the seed are pooled. Files
that `hdd-tf evaluate --set=FILE --output=SCORE.json` wrote may be named beside them.

  --output=FILE.md    Write the Markdown table there instead of printing it.
  --output=FILE.html  Write one page there, which opens anywhere and loads nothing: the
                      table, images, curves, accuracies of classes, settings.
  --plot=FILE.png     Also draw accuracy against seconds of distillation.
"""


def report(argv: Sequence[str]) -> None:
    """Prints or writes the table of runs, and the plot that is asked for.

    Raises:
        InputError: unusable arguments, no run to report, or a file that cannot be
            written.
    """
    called, *arguments = argv
    if wants_help(arguments):
        print(_HELP.format(called=called), end="")
        return
    places, output, plot = _parse(called, arguments)
    try:
        _write(places, output, plot)
    except OSError as error:
        raise InputError(f"cannot write the report: {one_line(error)}") from error


def _parse(called: str, arguments: Sequence[str]) -> tuple[list[str], str, str]:
    """Returns the directories, and the files to write ("" for none).

    Raises:
        InputError: an argument cannot be used.
    """
    values = flags.FlagValues()
    for name in ("output", "plot"):
        flags.DEFINE_string(name, "", "", flag_values=values)
    try:
        places = [
            os.path.expanduser(word) for word in values(["", *words_of(arguments)])[1:]
        ]
    except flags.UnrecognizedFlagError as error:
        raise InputError(unknown_flag(error.flagname, values)) from error
    except flags.Error as error:
        raise InputError(
            f"{' '.join(str(error).split())}; the flags are --output=FILE.md (or "
            ".html) and --plot=FILE.png"
        ) from error
    if not places:
        raise InputError(f"no run named: {_USAGE.format(called=called)}")
    settle_paths(values)
    output, plot = (str(values[name].value) for name in ("output", "plot"))
    if plot and not plot.lower().endswith(".png"):
        raise InputError(f"--plot={plot}: only PNG is written; end the name in .png")
    for name, file in (("output", output), ("plot", plot)):
        if file and os.path.isdir(file):
            raise InputError(f"--{name}={file} is a directory: name a file in it")
        if os.path.exists(file) and not os.path.isfile(file):
            # A device or a pipe would be gone, with a file in its place.
            raise InputError(
                f"--{name}={file} is no ordinary file: name one, or leave the flag out "
                "for a table on standard output"
            )
        if file:
            check_writable(file, f"--{name}=")
    if os.path.isfile(output) and not output.lower().endswith(_WRITTEN_OVER):
        raise InputError(
            f"--output={output} is there already, and may be no report: name another "
            f"file, or write over one that ends in {', '.join(_WRITTEN_OVER)}"
        )
    if os.path.isfile(plot) and not _may_be_plot(plot):
        raise InputError(
            f"--plot={plot} is there already, and is no picture: name another file"
        )
    if output.lower().endswith(_OTHER_FORMATS):
        raise InputError(
            f"--output={output}: a Markdown table or a page is written; end the name "
            "in .md or .html"
        )
    return places, output, plot


def _may_be_plot(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            # An empty file may be made to be written to.
            return file.read(len(_SIGNATURE)) in (_SIGNATURE, b"")
    except OSError as error:
        raise InputError(f"--plot={path} cannot be read: {error.strerror}") from error


def _write(places: list[str], output: str, plot: str) -> None:
    groups = group_runs(collect_runs(places, _warn), _warn)
    if output.lower().endswith(_PAGE):
        # Seconds of imports, for the images, which tables do not need.
        import_quietly()
        from hdd_tf.report.page.document import page

        atomic.write_text(output, page(groups, _warn))
        print(f"page: {output}")
    elif output:
        atomic.write_text(output, report_text(table_rows(groups)))
        print(f"table: {output}")
    else:
        print_product(report_text(table_rows(groups)).removesuffix("\n"))
    if plot:
        save_plot(plot, groups)
        print(f"plot: {plot}", file=sys.stdout if output else sys.stderr)


def _warn(line: str) -> None:
    print(f"hdd_tf: warning: {one_line(line)}", file=sys.stderr)


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code, as `run_program` does."""
    return run_program(report, argv)
