"""Fresh variables of a network as a pure function of a key."""

import math

import keras
import tensorflow as tf

from hdd_tf.random_keys import derive_key

# Starts that are not drawn: of norms, and of batch norm's moving statistics.
_CONSTANTS = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}


class FanInInitialisation:
    """The start of the published networks, whatever the layers' own initialisers say.

    Kernels and biases are uniform in +-1/sqrt(fan_in) (the default of the
    authors' framework), norms start at gamma = 1 and beta = 0, moving statistics at
    those of normal data, generators of random numbers at a number drawn.

    Args:
        model: Built Keras model; its values are never read.

    Raises:
        ValueError: there is no rule for a variable.
    """

    def __init__(self, model: keras.Model) -> None:
        fan_in = _fan_in(model.trainable_variables)
        self._rules = [
            (_rule(v, fan_in), tuple(v.shape), v.dtype)
            for v in (*model.trainable_variables, *model.non_trainable_variables)
        ]
        self._num_weights = len(model.trainable_variables)

    def __call__(self, key: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Draws weights and state: the same key, the same values.

        Args:
            key: `[2]` int32 seed.
        """
        values = []
        for index, (rule, shape, dtype) in enumerate(self._rules):
            if isinstance(rule, _Constant):
                values.append(tf.fill(shape, tf.constant(rule.value, dtype)))
                continue
            # None: an integer over its whole range.
            limits = (None, None) if rule is None else (-rule, rule)
            values.append(
                tf.random.stateless_uniform(
                    shape, derive_key(key, index), *limits, tf.as_dtype(dtype)
                )
            )
        return values[: self._num_weights], values[self._num_weights :]


class _Constant:
    """An initial value that is not drawn."""

    def __init__(self, value: float) -> None:
        self.value = value


def _fan_in(variables: list[keras.Variable]) -> dict[str, int]:
    """Returns the inputs of each unit of each layer that has a kernel."""
    fan_in = {}
    for variable in variables:
        layer, _, name = variable.path.rpartition("/")
        if name == "kernel":
            fan_in[layer] = math.prod(variable.shape[:-1])
    return fan_in


def _rule(variable: keras.Variable, fan_in: dict[str, int]) -> float | _Constant | None:
    """Returns a variable's bound 1/sqrt(fan_in), its constant start, or None."""
    layer, _, name = variable.path.rpartition("/")
    if name in _CONSTANTS:
        return _Constant(_CONSTANTS[name])
    if name in ("kernel", "bias") and layer in fan_in:
        return 1.0 / math.sqrt(fan_in[layer])
    if name == "seed_generator_state":
        return None
    raise ValueError(f"No initialisation is known for `{variable.path}`.")
