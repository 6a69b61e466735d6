"""Writes SavedModels of a run: the same as `hdd-tf export saved_model`.

python export/export_saved_model.py --help
"""

from collections.abc import Sequence

from hdd_tf.cli import export_models
from hdd_tf.cli.program import run_as_process


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit code."""
    called = "python export/export_saved_model.py"
    return export_models.main([called, *argv[1:]], "export_saved_model")


if __name__ == "__main__":
    run_as_process(main)
