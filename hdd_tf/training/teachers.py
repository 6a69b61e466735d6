"""Teachers made from trained networks."""

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.training.experts import Experts
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


def teacher_of_experts(
    experts: Experts,
    name: str,
    options: NetworkOptions,
    image_shape: tuple[int, int, int],
    num_classes: int,
) -> Teacher:
    """Returns networks that were trained ahead as a teacher of all of them.

    Args:
        experts: The networks, as `Shelf.take` returns them.
        name: Key of the networks in `registry.NETWORKS`.
        options: Options that the networks were built with.
        image_shape: Height, width and channels of their images.
        num_classes: Number of logits of the networks.
    """
    networks = [
        TeacherNetwork(
            name,
            options,
            [weights[index].numpy() for weights in experts.trained],
            [values[index].numpy() for values in experts.state],
        )
        for index in range(experts.number)
    ]
    return Teacher(tuple(networks), image_shape, num_classes)
