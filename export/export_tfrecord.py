"""Writes a distilled set for other programs: the same as `hdd-tf export tfrecord`.

python export/export_tfrecord.py --help
"""

from collections.abc import Sequence

from hdd_tf.cli import export_set
from hdd_tf.cli.program import run_as_process


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit code."""
    called = "python export/export_tfrecord.py"
    return export_set.main([called, *argv[1:]], "export_tfrecord")


if __name__ == "__main__":
    run_as_process(main)
