"""Keras layers over the pure functions of `lorentz`.

Layers pass a point on as the pair `(klein, log_gamma)`. No layer has weights. Geometry
needs precision: whatever the dtype policy, float16 and bfloat16 inputs are cast to
float32, the outputs stay in float32, and float64 stays float64.
"""

from typing import Any

import keras
import tensorflow as tf

from hdd_tf.geometry import centroids, coordinates, lorentz

Shape = tuple[int | None, ...]


def widen(tensor: tf.Tensor, dtype: str = "float32") -> tf.Tensor:
    """Casts to float64 if `tensor` or `dtype` is float64, else to float32."""
    tensor = tf.convert_to_tensor(tensor)
    wide = tf.float64 in (tensor.dtype, tf.as_dtype(dtype))
    return tf.cast(tensor, tf.float64 if wide else tf.float32)


def widen_point(point: Any, taker: str, dtype: str = "float32") -> lorentz.Point:
    """Casts a point as `widen` does, and checks that it is one.

    Args:
        point: `(klein [..., d], log_gamma [...])`.
        taker: What takes it, for the message.
        dtype: See `widen`.

    Raises:
        ValueError: `point` is no such pair; a tensor of two rows only unpacks like one.
    """
    needed = (
        f"{taker} takes (klein, log_gamma), as ExpMap0, LorentzLift and "
        "LorentzCentroid return, of shapes [..., d] and [...]; got"
    )
    if not isinstance(point, (tuple, list)):
        raise ValueError(f"{needed} one tensor of shape {getattr(point, 'shape', ())}.")
    if len(point) != 2:
        raise ValueError(f"{needed} {len(point)} tensors.")
    klein, log_gamma = (widen(part, dtype) for part in point)
    fits = klein.shape[:-1].is_compatible_with(log_gamma.shape)
    if klein.shape.rank == 0 or not fits:
        raise ValueError(f"{needed} {klein.shape} and {log_gamma.shape}.")
    return klein, log_gamma


class _GeometryLayer(keras.layers.Layer):
    """Base of the layers: no autocast, and output dtypes as computed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Under a mixed policy, Keras would first round float32 inputs to 16 bits.
        self.autocast = False

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # From `compute_output_shape`, Keras would infer the policy's compute dtype.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def _widen_point(self, point: lorentz.Point) -> lorentz.Point:
        return widen_point(point, type(self).__name__, self.compute_dtype)


@keras.saving.register_keras_serializable(package="hdd_tf")
class LorentzLift(_GeometryLayer):
    """Lifts features `[..., d]` to points `(klein [..., d], log_gamma [...])`.

    Args:
        curvature: K < 0; the default -1 is the published DM setting.
        lift: `"expmap0"` (exponential map at the origin) or `"project"`.
        max_tangent_norm: Clamp of sqrt(-K) |v| in the exponential map; 0 for none.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: an option is out of its range; the message shows its value.

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
        """Returns the points `(klein, log_gamma)` of features `[..., d]`."""
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
    """`LorentzLift` by the exponential map at the origin.

    Args:
        curvature: K < 0.
        max_tangent_norm: Clamp of sqrt(-K) |v|; 0 for none.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: an option is out of its range; the message shows its value.
    """

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

    The call takes the pair and optionally `weights [..., n]`, and returns
    `(klein [..., d], log_gamma [...])`.

    Args:
        return_mass: True to return `log_mass [...]` too, which merging needs.
        **kwargs: Arguments of `keras.layers.Layer`.

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
        """Returns the centroid, and with `return_mass` the logarithm of its mass."""
        outputs = centroids.centroid_with_mass(*self._widen_point(inputs), weights)
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
    """Base of layers from points to coordinates in a model of the space.

    Args:
        curvature: K < 0.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `curvature` is not negative and finite.
    """

    def __init__(self, curvature: float = -1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        lorentz.check_options(curvature)
        self.curvature = float(curvature)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "curvature": self.curvature}


@keras.saving.register_keras_serializable(package="hdd_tf")
class ToLorentz(_Coordinates):
    """Converts points to hyperboloid coordinates `[..., d + 1]`, time first.

    The coordinates grow like exp(radius) and overflow float32 at radius 88. Use them
    for exports and figures.

    Args:
        curvature: K < 0.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `curvature` is not negative and finite.
    """

    def call(self, inputs: lorentz.Point) -> tf.Tensor:
        """Returns the coordinates of points `(klein, log_gamma)`."""
        return coordinates.to_lorentz(self._widen_point(inputs), self.curvature)

    def compute_output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        """Returns the shape of the coordinates."""
        *leading, dim = input_shape[0]
        return (*leading, None if dim is None else dim + 1)


@keras.saving.register_keras_serializable(package="hdd_tf")
class ToPoincare(_Coordinates):
    """Converts points to `[..., d]` in the Poincare ball of radius 1/sqrt(-K).

    Args:
        curvature: K < 0.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `curvature` is not negative and finite.
    """

    def call(self, inputs: lorentz.Point) -> tf.Tensor:
        """Returns the coordinates of points `(klein, log_gamma)`."""
        return coordinates.to_poincare(self._widen_point(inputs), self.curvature)

    def compute_output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        """Returns the shape of the coordinates."""
        return tuple(input_shape[0])
