"""The command `python -m hdd_tf.evaluate SET_OR_RUN`, which scores a set.

`hdd_tf.evaluate(...)` does the same from Python. That function is in
hdd_tf/api/evaluating.py; but importing this package puts it in the function's place
among the attributes of `hdd_tf`, so the package can be called like the function.
"""

import sys
import types
from typing import Any


class _CallableModule(types.ModuleType):
    """A module that passes calls on to the function of its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from hdd_tf.api.evaluating import evaluate

        return evaluate(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
