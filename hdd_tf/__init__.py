"""Hyperbolic Dataset Distillation in TensorFlow 2 and Keras 3.

`distill(images, labels, ipc=10)` is the Python interface; the command is
`python -m hdd_tf.main`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hdd_tf.api import distill

__all__ = ["distill"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # TensorFlow takes seconds to import; `--help` and bad flags need not wait for it.
    if name == "distill":
        from hdd_tf.api import distill

        return distill
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
