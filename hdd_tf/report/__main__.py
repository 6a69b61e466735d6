"""Reports runs beside the published numbers.

usage: python -m hdd_tf.report RUN_DIR... [--output=FILE.md] [--plot=FILE.png]

RUN_DIR is a run's directory, that of a command with --num_experiments, or a folder of
such directories (runs/). Runs that are the same but for the seed are pooled.

  --output=FILE.md  Write the Markdown table there instead of printing it.
  --plot=FILE.png   Also draw accuracy against seconds of distillation.
"""

import sys
from collections.abc import Sequence

from absl import flags

from hdd_tf.errors import InputError, one_line
from hdd_tf.files import atomic
from hdd_tf.report.collect import collect_runs
from hdd_tf.report.plot import save_plot
from hdd_tf.report.rows import group_runs, table_rows
from hdd_tf.report.table import report_text

_HELP_WORDS = {"--help", "-help", "-h", "-?"}


def main(argv: Sequence[str]) -> int:
    """Runs the command.

    Args:
        argv: Program name and arguments.

    Returns:
        The exit code: 0 done; 2 unusable arguments, or no run to report, said in one
        line on standard error.
    """
    if _HELP_WORDS.intersection(argv[1:]):
        print(__doc__, end="")
        return 0
    try:
        _report(*_parse(argv[1:]))
    except InputError as error:
        print(f"hdd_tf: {one_line(error)}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"hdd_tf: cannot write the report: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parse(arguments: Sequence[str]) -> tuple[list[str], str, str]:
    """Returns the directories, and the files to write ("" for none).

    Raises:
        InputError: an argument cannot be used.
    """
    values = flags.FlagValues()
    for name in ("output", "plot"):
        flags.DEFINE_string(name, "", "", flag_values=values)
    try:
        places = values(["", *arguments])[1:]
    except flags.Error as error:
        raise InputError(
            f"{' '.join(str(error).split())}; the flags are --output=FILE.md and "
            "--plot=FILE.png"
        ) from error
    if not places:
        raise InputError(
            "no run named: python -m hdd_tf.report RUN_DIR... [--output=FILE.md] "
            "[--plot=FILE.png]"
        )
    output, plot = (str(values[name].value) for name in ("output", "plot"))
    if plot and not plot.lower().endswith(".png"):
        raise InputError(f"--plot={plot}: only PNG is written; end the name in .png")
    return places, output, plot


def _report(places: list[str], output: str, plot: str) -> None:
    groups = group_runs(collect_runs(places, _warn), _warn)
    text = report_text(table_rows(groups))
    if output:
        atomic.write_text(output, text)
        print(f"table: {output}")
    else:
        print(text, end="")
    if plot:
        save_plot(plot, groups)
        print(f"plot: {plot}", file=sys.stdout if output else sys.stderr)


def _warn(line: str) -> None:
    print(f"hdd_tf: warning: {one_line(line)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
