"""What a method is built from."""

import dataclasses
import functools

import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.class_blocks import (
    ClassBlocks,
    default_max_images,
    plan_class_blocks,
)
from hdd_tf.distillation.synthetic_set import SyntheticSet, initial_images
from hdd_tf.networks.functional import FunctionalNetwork


@dataclasses.dataclass(frozen=True, eq=False)
class MethodContext:
    """A run's settings, data, network and devices.

    Attributes:
        config: The settings.
        dataset: The real images that are distilled or chosen from.
        network: The network `--network`, a function of its weights.
        strategy: Where to compute.
        dry_run: Whether nothing is to be trained or written: networks that would be
            trained ahead stay untrained.
    """

    config: Config
    dataset: Dataset
    network: FunctionalNetwork
    strategy: tf.distribute.Strategy
    dry_run: bool = False

    @functools.cached_property
    def store(self) -> ClassStore:
        """Draws of the real images."""
        dataset = self.dataset
        return ClassStore(
            dataset.training.images,
            dataset.training.labels,
            dataset.num_classes,
            dataset.normalisation,
        )

    def initial_images(self) -> tf.Tensor:
        """Returns where the images start, `[C, ipc, h, w, c]`; see `initial_images`.

        Raises:
            InputError: settings and data do not fit.
        """
        config = self.config
        return initial_images(
            config.init,
            self.store,
            config.ipc,
            config.seed,
            self.dataset.num_classes,
            config.formation_factor,
        )

    def class_blocks(self, synthetic_per_class: int) -> ClassBlocks:
        """Plans which replica takes which classes, and in which blocks.

        Args:
            synthetic_per_class: Synthetic images of each class in a pass.
        """
        config = self.config
        return plan_class_blocks(
            self.dataset.num_classes,
            self.strategy.num_replicas_in_sync,
            real_per_class=min(config.real_batch, int(tf.reduce_max(self.store.sizes))),
            synthetic_per_class=synthetic_per_class,
            max_images=config.max_images_per_forward
            or default_max_images(self.dataset.image_shape, config.width),
        )

    def synthetic_set(
        self,
        images: tf.Tensor,
        label_logits: tf.Tensor | None = None,
        student_rate: float | None = None,
    ) -> SyntheticSet:
        """Makes the synthetic set, as the method's traits have it.

        Args:
            images: `[C, ipc, h, w, c]`, normalised.
            label_logits: `[C, ipc, C]` where labels are learnt.
            student_rate: Where a learning rate is learnt.
        """
        with self.strategy.scope():
            return SyntheticSet(
                images,
                self.dataset.normalisation,
                self.config.formation_factor,
                self.config.traits.unit_range,
                label_logits,
                student_rate,
            )
