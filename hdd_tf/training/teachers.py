"""Teachers made from trained networks."""

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.training.network_trainer import NetworkTrainer


def teacher_of_trainer(
    trainer: NetworkTrainer, name: str, options: NetworkOptions, num_classes: int
) -> Teacher:
    """Returns the network of a trainer as a teacher of one network.

    For a teacher of several networks, join the `networks` of such teachers.

    Args:
        trainer: Trainer whose `train` has returned.
        name: Key of the network in `registry.NETWORKS`.
        options: Options that the network was built with.
        num_classes: Number of logits of the network.
    """
    network = TeacherNetwork(
        name,
        options,
        [weight.numpy() for weight in trainer.weights],
        [value.numpy() for value in trainer.state],
    )
    return Teacher((network,), trainer.image_shape, num_classes)
