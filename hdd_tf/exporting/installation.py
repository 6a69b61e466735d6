"""Rehearses what a run uses only after its work, so that nothing is lost to it.

A library may be installed, and `pip check` be content, and still fail when it is used:
a version of tensorflow-metadata that does not go with that of protobuf did, after whole
distillations.
"""

import importlib
import logging
import pathlib
import tempfile

import numpy as np

from hdd_tf.artifacts.encodings.float32 import Float32
from hdd_tf.config import Config
from hdd_tf.errors import InputError, one_line
from hdd_tf.keras_settings import check_drawing

# Modules that pictures of scores and of an analysis import when they are drawn.
_OF_SCORES = ("matplotlib.backends.backend_agg", "matplotlib.figure")
_OF_ANALYSIS = ("matplotlib.offsetbox", "scipy.optimize", "scipy.stats")


def check_installation(config: Config) -> None:
    """Writes a set of one pixel as runs export theirs, and imports what is drawn with.

    Args:
        config: Settings of the run.

    Raises:
        InputError: a library fails, or MPLBACKEND keeps it from starting; the line
            names it.
    """
    check_drawing()
    # TFDS shows a traceback, and goes on without what it could not import.
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        importlib.import_module("tensorflow_datasets.core.features")
        _export_one_pixel()
    except OSError:
        pass  # The folder of temporary files: not one of the run.
    except Exception as error:
        raise _broken("tensorflow_datasets", error) from error
    finally:
        logger.setLevel(level)
    analysed = _OF_ANALYSIS if config.analysis else ()
    for module in (*_OF_SCORES, *analysed):
        try:
            importlib.import_module(module)
        except Exception as error:
            without = " (or --noanalysis does without)" * (module in analysed)
            raise _broken(module, error, without) from error


def _export_one_pixel() -> None:
    with tempfile.TemporaryDirectory() as directory:
        Float32().write(
            pathlib.Path(directory),
            np.zeros((1, 1, 1, 1), np.float32),
            np.zeros(1, np.int64),
            {"label_names": ["a"], "dataset": "one pixel"},
        )


def _broken(module: str, error: Exception, otherwise: str = "") -> InputError:
    return InputError(
        f"this installation could not write the results: {module} fails with "
        f"{type(error).__name__} ({one_line(error)}): install hdd_tf in a fresh "
        f"environment{otherwise}"
    )
