"""Initial variables of a network as a pure function of a key."""

import math

import keras
import tensorflow as tf

from hdd_tf.random_keys import derive_key

# Initial values that are not drawn: those of norms and of their moving statistics.
_CONSTANTS = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}


class FanInInitialisation:
    """The initialisation of the published networks, instead of the layers' own.

    Kernels and biases are uniform in [-1/sqrt(fan_in), 1/sqrt(fan_in)] (the default of
    the authors' framework). Norms start at gamma = 1 and beta = 0, and moving
    statistics at mean 0 and variance 1. The states of random number generators are
    drawn.

    Args:
        model: Built Keras model; the values of its variables are never read.
        of_channels: True if a unit of a depthwise convolution counts the inputs of its
            own channel, as in the published networks; False if it counts all channels.

    Raises:
        ValueError: there is no rule for a variable.
    """

    def __init__(self, model: keras.Model, of_channels: bool = False) -> None:
        fan_in = _fan_in(model.trainable_variables)
        if of_channels:
            for layer in model.layers:
                if isinstance(layer, keras.layers.DepthwiseConv2D):
                    name = layer.kernel.path.rpartition("/")[0]
                    fan_in[name] //= layer.kernel.shape[2]
        self._rules = [
            (self._rule_of(v, fan_in), tuple(v.shape), v.dtype)
            for v in (*model.trainable_variables, *model.non_trainable_variables)
        ]
        self._num_weights = len(model.trainable_variables)

    def _rule_of(self, variable: keras.Variable, fan_in: dict[str, int]) -> "_Rule":
        return _rule(variable, fan_in)

    def __call__(self, key: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Draws weights and state; the same key gives the same values.

        Args:
            key: `[2]` int32 key.

        Returns:
            The trainable variables' values, and the other variables' values.
        """
        values = []
        for index, (rule, shape, dtype) in enumerate(self._rules):
            if isinstance(rule, _Constant):
                values.append(tf.fill(shape, tf.constant(rule.value, dtype)))
                continue
            if isinstance(rule, _Normal):
                drawn = tf.random.stateless_normal(shape, derive_key(key, index))
                values.append(rule.deviation * drawn)
                continue
            # None stands for an integer that is uniform over its whole range.
            limits = (None, None) if rule is None else (-rule, rule)
            values.append(
                tf.random.stateless_uniform(
                    shape, derive_key(key, index), *limits, tf.as_dtype(dtype)
                )
            )
        return values[: self._num_weights], values[self._num_weights :]


class FanOutInitialisation(FanInInitialisation):
    """Kernels of convolutions are normal with variance 2 / (rows x columns x outputs).

    All else is as in `FanInInitialisation`. So start the networks with batch norm of
    the G-VBSM program's pool, but for ShuffleNetV2.

    Args:
        model: Built Keras model; the values of its variables are never read.
        dense_deviation: Standard deviation of the normal kernels of dense layers; 0 for
            uniform ones.

    Raises:
        ValueError: there is no rule for a variable.
    """

    def __init__(self, model: keras.Model, dense_deviation: float = 0.0) -> None:
        self._dense_deviation = dense_deviation
        super().__init__(model, of_channels=True)

    def _rule_of(self, variable: keras.Variable, fan_in: dict[str, int]) -> "_Rule":
        is_kernel = variable.path.endswith("/kernel")
        if is_kernel and len(variable.shape) == 4:
            # The outputs of a depthwise convolution are its channels.
            rows, columns, inputs, outputs = variable.shape
            units = inputs if outputs == 1 else outputs
            return _Normal(math.sqrt(2.0 / (rows * columns * units)))
        if is_kernel and self._dense_deviation:
            return _Normal(self._dense_deviation)
        return super()._rule_of(variable, fan_in)


class _Constant:
    """An initial value that is not drawn."""

    def __init__(self, value: float) -> None:
        self.value = value


class _Normal:
    """Normal initial values around 0."""

    def __init__(self, deviation: float) -> None:
        self.deviation = deviation


# A bound of uniform values, another kind of value, or None for any integer.
_Rule = float | _Constant | _Normal | None


def _fan_in(variables: list[keras.Variable]) -> dict[str, int]:
    """Returns the number of inputs of a unit, for each layer that has a kernel."""
    fan_in = {}
    for variable in variables:
        layer, _, name = variable.path.rpartition("/")
        if name == "kernel":
            fan_in[layer] = math.prod(variable.shape[:-1])
    return fan_in


def _rule(variable: keras.Variable, fan_in: dict[str, int]) -> _Rule:
    """Returns a variable's bound 1/sqrt(fan_in), its constant value, or None.

    None is the rule of generator states, integers over their whole range.
    """
    layer, _, name = variable.path.rpartition("/")
    if name in _CONSTANTS:
        return _Constant(_CONSTANTS[name])
    if name in ("kernel", "bias") and layer in fan_in:
        return 1.0 / math.sqrt(fan_in[layer])
    if name == "seed_generator_state":
        return None
    raise ValueError(f"No initialisation is known for `{variable.path}`.")
