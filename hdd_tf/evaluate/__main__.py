"""Scores a set that already exists: `python -m hdd_tf.evaluate SET_OR_RUN [--flags]`.

The settings are those the set was distilled with; flags after it override them, such
as `--num_eval=20`, `--eval_epochs=300`, `--data_dir=DIR`, `--baselines` or
`--fair_score`.
"""

import sys

from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.errors import InputError, one_line


def main(argv: list[str]) -> int:
    """Runs the command; exit codes are those of `hdd_tf.main`."""
    arguments = argv[1:]
    if not arguments or {"-h", "--help"}.intersection(arguments):
        print(__doc__)
        return 0 if arguments else 2
    try:
        place = arguments[0]
        if place.startswith("-"):
            raise InputError(
                f"the first argument is the set or run to score, not {place}: python "
                "-m hdd_tf.evaluate SET_OR_RUN [--flags]"
            )
        keep_freed_memory()
        import_quietly()
        from hdd_tf.evaluation.rescore import rescore

        print(rescore(place, arguments[1:]))
    except (InputError, OSError) as error:
        print(f"hdd_tf: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
