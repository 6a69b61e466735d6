"""Teachers made from trained networks."""

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.training.experts import Experts


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
