"""DATM: learnt soft labels, experts by FTD's updates; sources: method.py."""

from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.objectives.trajectories.experts import flat_shelf
from hdd_tf.objectives.trajectories.initial_images import Beginning
from hdd_tf.objectives.trajectories.method import TrajectoryMatching


def build(context: MethodContext) -> TrajectoryMatching:
    """Builds DATM, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    config = context.config
    chooses = config.init == "real" and config.trajectory_init == "right"
    beginning = Beginning(
        context.dataset,
        context.network,
        config.seed,
        # Untrained experts, of a dry run, are hardly ever right.
        chooses=chooses and not context.dry_run,
        asks_all=config.trajectory_init == "right",
    )
    shelf = flat_shelf(config, context.dataset, context.network)
    return TrajectoryMatching(context, shelf, beginning)
