"""Writes a run's embeddings for TensorBoard: the same as `hdd-tf export projector`.

python export/export_projector.py --help
"""

from collections.abc import Sequence

from hdd_tf.cli import export_projector
from hdd_tf.cli.program import run_as_process


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit code."""
    called = "python export/export_projector.py"
    return export_projector.main([called, *argv[1:]], "export_projector")


if __name__ == "__main__":
    run_as_process(main)
