"""One update of a network on one batch, in the graph."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from hdd_tf.distributed.compilation import differentiated
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.teacher import Teacher
from hdd_tf.protocols.losses import batch_loss
from hdd_tf.protocols.optimisers import Optimiser
from hdd_tf.protocols.sharpness import flat_gradient
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import View
from hdd_tf.training.training_variables import TrainingVariables

# (rows `[n]` of a batch, its class numbers `[n]`, its logits before the update) -> None
Observe = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], None]


class Update:
    """Updates weights, slots and state with the view of a batch.

    Args:
        network: The network, a function of its weights.
        variables: Variables of the training, which an update changes.
        protocol: Training protocol, which defines the loss and the labels.
        optimiser: Optimiser of the weights.
        teacher: Teacher of the labels, for protocols with `labels="teacher"`; or None.
        observe: Function that observes each batch in the graph.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        variables: TrainingVariables,
        protocol: TrainingProtocol,
        optimiser: Optimiser,
        teacher: Teacher | None,
        observe: Observe,
    ) -> None:
        self._network = network
        self._variables = variables
        self._protocol = protocol
        self._optimiser = optimiser
        self._observe = observe
        self._teacher_logits = None
        if protocol.labels == "teacher" and teacher is not None:
            self._teacher_logits = teacher.logits_function()

    def __call__(
        self, rows: tf.Tensor, labels: tf.Tensor, view: View, rate: tf.Tensor
    ) -> tf.Tensor:
        """Makes the update.

        Args:
            rows: `[n]` int32, rows of the batch's images in the set.
            labels: `[n]` int32, class numbers of the images.
            view: The batch as the network sees it.
            rate: Learning rate, scalar float32.

        Returns:
            The scalar loss before the update.
        """
        weights, state = self._variables.weights, self._variables.state
        label_logits = view.label_logits
        if self._teacher_logits is not None:
            label_logits = tf.stop_gradient(self._teacher_logits(view.images))
        if self._protocol.extra_norm_pass:
            _assign(state, self._training_logits(view.images)[1])
        with tf.GradientTape() as tape:
            logits, new_state = self._training_logits(view.images)
            loss = batch_loss(self._protocol, labels, label_logits, view.mixing, logits)
        self._observe(rows, labels, logits)
        _assign(state, new_state)
        # A user's model may have a weight that its logits do not depend on.
        gradients = tape.gradient(
            loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        if self._protocol.sharpness:
            gradients = self._flat_gradient(gradients, labels, label_logits, view)
        self._optimiser.update(weights, self._variables.slots, gradients, rate)
        return loss

    def _flat_gradient(
        self,
        gradients: list[tf.Tensor],
        labels: tf.Tensor,
        label_logits: tf.Tensor | None,
        view: View,
    ) -> list[tf.Tensor]:
        """Returns the sharpness-aware gradient, which needs a second one."""

        def gradient_at(weights: list[tf.Tensor]) -> list[tf.Tensor]:
            state = [tf.convert_to_tensor(s) for s in self._variables.state]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                with differentiated(1):
                    found = self._network.training_logits(weights, view.images, state)
                logits = found[0]
                loss = batch_loss(
                    self._protocol, labels, label_logits, view.mixing, logits
                )
            return tape.gradient(
                loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )

        weights = [tf.convert_to_tensor(w) for w in self._variables.weights]
        return flat_gradient(weights, gradients, gradient_at, *self._protocol.sharpness)

    def _training_logits(self, images: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        weights = [tf.convert_to_tensor(w) for w in self._variables.weights]
        state = [tf.convert_to_tensor(s) for s in self._variables.state]
        with differentiated(1):
            return self._network.training_logits(weights, images, state)


def _assign(variables: Sequence[tf.Variable], values: Sequence[tf.Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
