"""Dataset distillation in TensorFlow 2 and Keras 3, in Euclidean and hyperbolic space.

    import hdd_tf

    result = hdd_tf.distill(images, labels, ipc=10, iterations=500)
    print(hdd_tf.evaluate(result, test=(test_images, test_labels)))
    result.save("my_set")
    images, labels = hdd_tf.load("my_set")

`distill` makes a set, `evaluate` trains networks on one and tests them, `load` reads
one or that of a run, `export` writes one for other programs; `sets` are those that come
with hdd_tf, which all take by their names. `layers` and `losses` are Keras layers and
losses of hyperbolic geometry. What cannot be used is an `InputError` of one line. The
command is `hdd-tf`, or `python -m hdd_tf`.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from hdd_tf.keras_settings import check_drawing

if TYPE_CHECKING:
    from hdd_tf import layers, losses
    from hdd_tf.api.distilling import distill
    from hdd_tf.api.evaluating import evaluate
    from hdd_tf.api.results import DistillationResult, EvaluationResult
    from hdd_tf.api.sets import export, load
    from hdd_tf.artifacts.sets.set_content import DistilledSet
    from hdd_tf.errors import InputError
    from hdd_tf.shipped.catalogue import ShippedSet, sets

__all__ = [
    "DistillationResult",
    "DistilledSet",
    "EvaluationResult",
    "InputError",
    "ShippedSet",
    "distill",
    "evaluate",
    "export",
    "layers",
    "load",
    "losses",
    "sets",
]
__version__ = "0.2.0"

# TensorFlow takes seconds to import; `--help` and bad flags need not wait for it. So
# each name is imported from its module when it is first used.
_HOMES = {
    "DistillationResult": "hdd_tf.api.results",
    "DistilledSet": "hdd_tf.artifacts.sets.set_content",
    "EvaluationResult": "hdd_tf.api.results",
    "InputError": "hdd_tf.errors",
    "ShippedSet": "hdd_tf.shipped.catalogue",
    "distill": "hdd_tf.api.distilling",
    "evaluate": "hdd_tf.api.evaluating",
    "export": "hdd_tf.api.sets",
    "load": "hdd_tf.api.sets",
    "sets": "hdd_tf.shipped.catalogue",
}
_MODULES = ("layers", "losses")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        check_drawing()
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        if name != "InputError":
            check_drawing()
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})


class _Package(types.ModuleType):
    """This package, whose attribute `evaluate` is always the function.

    Importing the command's package `hdd_tf.evaluate` would put that package in the
    function's place.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "evaluate" and isinstance(value, types.ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
