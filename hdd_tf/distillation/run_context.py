"""The context of an experiment: built once, and passed to all code that needs it."""

import dataclasses

import tensorflow as tf

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.workers import Workers
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import matched_network


@dataclasses.dataclass(frozen=True, eq=False)
class RunContext:
    """The settings, data, network, directory, devices and processes of an experiment.

    Attributes:
        config: The settings of one experiment.
        dataset: The data set with all its real images, which evaluation and analysis
            use.
        network: The network `--network`, a function of its weights.
        directory: Directory of the experiment; the object itself touches no file.
        strategy: Distribution strategy: the devices that compute.
        workers: The processes that share the run.
    """

    config: Config
    dataset: Dataset
    network: FunctionalNetwork
    directory: RunDirectory
    strategy: tf.distribute.Strategy
    workers: Workers

    @classmethod
    def build(
        cls,
        config: Config,
        dataset: Dataset,
        strategy: tf.distribute.Strategy | None = None,
        workers: Workers | None = None,
        directory: RunDirectory | None = None,
    ) -> "RunContext":
        """Builds the network and the rest of the context.

        Args:
            config: The settings of the experiment.
            dataset: The data set with all its real images.
            strategy: Distribution strategy; None for TensorFlow's default, as in
                exports.
            workers: The processes that share the run; None for the processes of the
                strategy, without a watch for signals.
            directory: Directory of the experiment; None for the `run_dir` of the
                settings.

        Raises:
            InputError: the network does not fit the images.
        """
        strategy = strategy or tf.distribute.get_strategy()
        return cls(
            config,
            dataset,
            matched_network(config, dataset.image_shape, dataset.num_classes),
            directory or RunDirectory(config.run_dir),
            strategy,
            workers or Workers(strategy),
        )

    def method_context(
        self, matched_dataset: Dataset, *, dry_run: bool = False
    ) -> MethodContext:
        """Returns the context that a method is built from.

        Args:
            matched_dataset: The data set with the part of the real images that is
                matched.
            dry_run: True to leave networks untrained that a method trains ahead.
        """
        return MethodContext(
            self.config, matched_dataset, self.network, self.strategy, dry_run
        )
