"""MTT: classes as labels, experts by plain SGD; sources: method.py."""

from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.objectives.trajectories.experts import plain_shelf
from hdd_tf.objectives.trajectories.method import TrajectoryMatching


def build(context: MethodContext) -> TrajectoryMatching:
    """Builds MTT, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    shelf = plain_shelf(context.config, context.dataset, context.network)
    return TrajectoryMatching(context, shelf)
