"""A teacher of a network that a test has trained."""

from hdd_tf.networks.teacher import Teacher, TeacherNetwork


def teacher_of_trainer(trainer, name, options, num_classes):
    """Returns the network of a trainer as a teacher."""
    network = TeacherNetwork(
        name,
        options,
        [weight.numpy() for weight in trainer.weights],
        [value.numpy() for value in trainer.state],
    )
    return Teacher((network,), trainer.image_shape, num_classes)
