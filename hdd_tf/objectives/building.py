"""Construction of methods by their names, the entries of methods/registry.py."""

from hdd_tf.distillation.method import IterativeMethod, Method
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.step import DistillationStep


def build_method(context: MethodContext) -> Method:
    """Builds the method that a run's settings name.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    return context.config.traits.builder()(context)


def build_iterative(context: MethodContext) -> IterativeMethod:
    """Builds a method that has iterations.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
        ValueError: the method is a selection.
    """
    method = build_method(context)
    if not isinstance(method, IterativeMethod):
        raise ValueError(f"{context.config.objective} has no iterations.")
    return method


def build_step(context: MethodContext, gathers: bool = True) -> DistillationStep:
    """Builds a method that has iterations, ready to run them.

    Networks that the method needs are trained if they are missing.

    Args:
        context: The run's settings, data, network and devices.
        gathers: See `DistillationStep`.

    Raises:
        InputError: settings and data do not fit.
        InterruptedRunError: a signal stopped the training, which is saved.
    """
    method = build_iterative(context)
    method.train_ahead()
    method.assemble()
    return DistillationStep(method, gathers)
