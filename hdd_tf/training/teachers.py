"""From a network that was trained to one that says what soft labels are."""

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.training.network_trainer import NetworkTrainer


def teacher_of_trainer(
    trainer: NetworkTrainer, name: str, options: NetworkOptions, num_classes: int
) -> Teacher:
    """Returns the network that a trainer holds, as a teacher of one.

    Teachers of several are made of the `networks` of such.

    Args:
        trainer: After its `train`.
        name: The network's key in `registry.NETWORKS`.
        options: What it was built with.
        num_classes: Number of its logits.
    """
    network = TeacherNetwork(
        name,
        options,
        [weight.numpy() for weight in trainer.weights],
        [value.numpy() for value in trainer.state],
    )
    return Teacher((network,), trainer.image_shape, num_classes)
