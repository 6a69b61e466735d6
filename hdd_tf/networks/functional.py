"""Networks as pure functions of their weights, and weights as pure functions of a key.

A Keras model serves as a template: its variables are never read. Weights are plain
tensors, drawn inside the graph, so a fresh network an iteration costs no variables, no
retracing and no memory, and is the same on every replica.
"""

import math

import keras
import tensorflow as tf

from hdd_tf.random_keys import derive_key


class FunctionalNetwork:
    """A network whose weights are an argument.

    Args:
        model: Built Keras model with the outputs `{"features", "logits"}` and without
            non-trainable variables (no batch statistics).

    Raises:
        ValueError: the model has non-trainable variables, which a pure function of the
            weights cannot carry.
    """

    def __init__(self, model: keras.Model) -> None:
        if model.non_trainable_variables:
            raise ValueError(
                "A functional network has only trainable variables. Received a model "
                f"with {len(model.non_trainable_variables)} others: {model.name}."
            )
        self.model = model
        self._variables = model.trainable_variables
        self._limits = _initial_limits(self._variables)

    @property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Shape of each weight, in the order that all methods use."""
        return [tuple(v.shape) for v in self._variables]

    def initial_weights(self, key: tf.Tensor) -> list[tf.Tensor]:
        """Draws initial weights: the same key, the same weights.

        Kernels and biases are uniform in +-1/sqrt(fan_in) (METHOD: the default of the
        authors' framework), norms start at gamma = 1 and beta = 0.

        Args:
            key: `[2]` int32 seed.

        Returns:
            Float32 tensors of `weight_shapes`.
        """
        weights = []
        for index, (shape, limit) in enumerate(
            zip(self.weight_shapes, self._limits, strict=True)
        ):
            if isinstance(limit, _Constant):
                weights.append(tf.fill(shape, limit.value))
            else:
                seed = derive_key(key, index)
                weights.append(
                    tf.random.stateless_uniform(shape, seed, -limit, limit, tf.float32)
                )
        return weights

    def features(self, weights: list[tf.Tensor], images: tf.Tensor) -> tf.Tensor:
        """Returns the `[n, d]` features of `[n, h, w, c]` normalised images."""
        return self.outputs(weights, images)["features"]

    def logits(self, weights: list[tf.Tensor], images: tf.Tensor) -> tf.Tensor:
        """Returns the `[n, num_classes]` logits of `[n, h, w, c]` normalised images."""
        return self.outputs(weights, images)["logits"]

    def outputs(
        self, weights: list[tf.Tensor], images: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns `features` and `logits` together."""
        outputs, _ = self.model.stateless_call(weights, [], images)
        return outputs


class _Constant:
    """An initial value that is not drawn."""

    def __init__(self, value: float) -> None:
        self.value = value


def _initial_limits(variables: list[keras.Variable]) -> list[float | _Constant]:
    """Returns each variable's bound 1/sqrt(fan_in), or its constant start."""
    fan_in: dict[str, int] = {}
    for variable in variables:
        layer, name = variable.path.rsplit("/", 1)
        if name == "kernel":
            fan_in[layer] = math.prod(variable.shape[:-1])
    limits: list[float | _Constant] = []
    for variable in variables:
        layer, name = variable.path.rsplit("/", 1)
        if name == "gamma":
            limits.append(_Constant(1.0))
        elif name == "beta":
            limits.append(_Constant(0.0))
        elif name in ("kernel", "bias") and layer in fan_in:
            limits.append(1.0 / math.sqrt(fan_in[layer]))
        else:
            raise ValueError(f"No initialisation is known for `{variable.path}`.")
    return limits
