"""A teacher as the function that its SavedModel has."""

import tensorflow as tf

from hdd_tf.artifacts.saved_models import classification
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.teacher import Teacher


class TeacherModel(tf.Module):
    """A teacher as a function `images -> {logits, probabilities, label}`.

    Args:
        teacher: Networks of the teacher.
        normalisation: Normalisation of the networks' images.
    """

    def __init__(self, teacher: Teacher, normalisation: Normalisation) -> None:
        super().__init__(name="teacher")
        self.image_shape = teacher.image_shape
        self.values = [
            [
                tf.Variable(value, trainable=False)
                for value in (*network.weights, *network.state)
            ]
            for network in teacher.networks
        ]
        self._networks = teacher.build_networks()
        self._normalise = normalisation.tensors()

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Classifies images.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.

        Returns:
            `logits [n, C]` float32, the mean of the networks' logits, `probabilities
            [n, C]` float32 and `label [n]` int64.
        """
        normalised = self._normalise(images)
        found = []
        for network, variables in zip(self._networks, self.values, strict=True):
            values = [tf.convert_to_tensor(variable) for variable in variables]
            count = len(network.weight_shapes)
            found.append(network.logits(values[:count], normalised, values[count:]))
        return classification(tf.add_n(found) / float(len(found)))
