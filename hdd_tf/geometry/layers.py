"""Keras layers over the pure functions of `lorentz`.

A point travels between layers as the pair `(klein, log_gamma)`. None of the layers has
weights. Geometry needs precision: whatever the policy, float16 and bfloat16 inputs are
widened to float32, the outputs stay so, and float64 stays float64.
"""

from typing import Any

import keras
import tensorflow as tf

from hdd_tf.geometry import lorentz

Shape = tuple[int | None, ...]


def widen(tensor: tf.Tensor, dtype: str = "float32") -> tf.Tensor:
    """Casts to float64 if `tensor` or `dtype` is that, else to float32."""
    tensor = tf.convert_to_tensor(tensor)
    wide = tf.float64 in (tensor.dtype, tf.as_dtype(dtype))
    return tf.cast(tensor, tf.float64 if wide else tf.float32)


class _GeometryLayer(keras.layers.Layer):
    """What the layers share: no autocast, and output types as computed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Under a mixed policy Keras would round float32 inputs to 16 bits first.
        self.autocast = False

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # From `compute_output_shape` Keras would infer the policy's compute type.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def _widen_pair(self, point: lorentz.Point) -> lorentz.Point:
        klein, log_gamma = point
        return widen(klein, self.compute_dtype), widen(log_gamma, self.compute_dtype)


@keras.saving.register_keras_serializable(package="hdd_tf")
class LorentzLift(_GeometryLayer):
    """Lifts features `[..., d]` to points `(klein [..., d], log_gamma [...])`.

    Args:
        curvature: K < 0; the default -1 is the published DM setting.
        lift: `"expmap0"` (exponential map at the origin) or `"project"`.
        max_tangent_norm: Clamp of sqrt(-K) |v| in the exponential map; 0 means none.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If an option is out of its range; the message shows it.

    Example:
        >>> klein, log_gamma = LorentzLift(curvature=-0.5)(tf.zeros([2, 5, 16]))
        >>> print(klein.shape, log_gamma.shape)
        (2, 5, 16) (2, 5)
    """

    def __init__(
        self,
        curvature: float = -1.0,
        lift: str = "expmap0",
        max_tangent_norm: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        lorentz.check_options(curvature, lift, max_tangent_norm)
        self.curvature = float(curvature)
        self.lift = lift
        self.max_tangent_norm = float(max_tangent_norm)

    def call(self, inputs: tf.Tensor) -> lorentz.Point:
        """Returns the lifted points."""
        features = widen(inputs, self.compute_dtype)
        return lorentz.lift(features, self.curvature, self.lift, self.max_tangent_norm)

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """Returns the shapes of klein and log_gamma."""
        return tuple(input_shape), tuple(input_shape[:-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "curvature": self.curvature,
            "lift": self.lift,
            "max_tangent_norm": self.max_tangent_norm,
        }


@keras.saving.register_keras_serializable(package="hdd_tf")
class ExpMap0(LorentzLift):
    """`LorentzLift` by the exponential map at the origin."""

    def __init__(
        self, curvature: float = -1.0, max_tangent_norm: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(curvature, "expmap0", max_tangent_norm, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        del config["lift"]
        return config


@keras.saving.register_keras_serializable(package="hdd_tf")
class LorentzCentroid(_GeometryLayer):
    """Reduces points `(klein [..., n, d], log_gamma [..., n])` to their centroid.

    Called with the pair and optionally `weights [..., n]`; returns
    `(klein [..., d], log_gamma [...])`.

    Args:
        return_mass: Whether to return `log_mass [...]` too, which merging needs.
        **kwargs: Of `keras.layers.Layer`.

    Example:
        >>> points = LorentzLift()(tf.ones([2, 5, 16]))
        >>> klein, log_gamma = LorentzCentroid()(points)
        >>> print(klein.shape, log_gamma.shape)
        (2, 16) (2,)
    """

    def __init__(self, return_mass: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.return_mass = return_mass

    def call(
        self, inputs: lorentz.Point, weights: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, ...]:
        """Returns the centroid, and its mass if so constructed."""
        outputs = lorentz.centroid_with_mass(*self._widen_pair(inputs), weights)
        return outputs if self.return_mass else outputs[:2]

    def compute_output_shape(
        self, input_shape: tuple[Shape, Shape], weights_shape: Shape | None = None
    ) -> tuple[Shape, ...]:
        """Returns the shapes of the outputs."""
        del weights_shape
        klein, log_gamma = input_shape
        scalar = tuple(log_gamma[:-1])
        return ((*scalar, klein[-1]), scalar, scalar)[: 3 if self.return_mass else 2]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "return_mass": self.return_mass}


class _Coordinates(_GeometryLayer):
    """A layer from points to coordinates in a model of the space of curvature K."""

    def __init__(self, curvature: float = -1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        lorentz.check_options(curvature)
        self.curvature = float(curvature)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "curvature": self.curvature}


@keras.saving.register_keras_serializable(package="hdd_tf")
class ToLorentz(_Coordinates):
    """Points to hyperboloid coordinates `[..., d + 1]`, time first.

    They grow like exp(radius) and overflow float32 at 88: for exports and pictures.
    """

    def call(self, inputs: lorentz.Point) -> tf.Tensor:
        """Returns the coordinates."""
        return lorentz.to_lorentz(self._widen_pair(inputs), self.curvature)

    def compute_output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        """Returns the shape of the coordinates."""
        *leading, dim = input_shape[0]
        return (*leading, None if dim is None else dim + 1)


@keras.saving.register_keras_serializable(package="hdd_tf")
class ToPoincare(_Coordinates):
    """Points to coordinates `[..., d]` in the Poincare ball of radius 1/sqrt(-K)."""

    def call(self, inputs: lorentz.Point) -> tf.Tensor:
        """Returns the coordinates."""
        return lorentz.to_poincare(self._widen_pair(inputs), self.curvature)

    def compute_output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        """Returns the shape of the coordinates."""
        return tuple(input_shape[0])
