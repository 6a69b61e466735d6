"""From pixels to hyperbolic space: a trained network, the lift, coordinates.

The lift of the analysis is not the lift of the matching. With the published settings
the latter clamps every radius to 10, so all Lorentz weights are equal and a picture
would show nothing.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.geometry import lorentz
from hdd_tf.geometry.coordinates import to_lorentz, to_poincare
from hdd_tf.networks.functional import FunctionalNetwork

# The median radius of the real images, in units of 1/s: large enough for the weights
# cosh(r) to differ, and small enough for points to stay well inside the disk's rim.
_MEDIAN_RADIUS = 2.0


class HyperbolicEncoder(tf.Module):
    """Maps images to features and points of hyperbolic space, with normalisation.

    Args:
        network: Network as a function of its weights, without state.
        weights: Weights of the network, tensors of `network.weight_shapes`.
        normalisation: Normalisation of the network's images.
        curvature: K < 0.
        max_tangent_norm: Clamp of r = s |v|; 0 means none.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        weights: Sequence[np.ndarray | tf.Tensor],
        normalisation: Normalisation,
        curvature: float,
        max_tangent_norm: float = 0.0,
    ) -> None:
        super().__init__(name="hyperbolic_encoder")
        lorentz.check_options(curvature, "expmap0", max_tangent_norm)
        self.weights = [tf.Variable(weight, trainable=False) for weight in weights]
        self.curvature = float(curvature)
        self.max_tangent_norm = float(max_tangent_norm)
        self.image_shape = tuple(network.model.input_shape[1:])
        self._network = network
        self._normalise = normalisation.tensors()

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the `[n, d]` float32 features of images as `__call__` takes them."""
        normalised = self._normalise(images)
        weights = [tf.convert_to_tensor(weight) for weight in self.weights]
        return self._network.features(weights, normalised)

    def radius(self, features: tf.Tensor) -> tf.Tensor:
        """Returns r = s |v| `[n]` of features `[n, d]`, clamped as the lift clamps."""
        radius = math.sqrt(-self.curvature) * tf.norm(features, axis=-1)
        if self.max_tangent_norm > 0:
            radius = tf.minimum(radius, self.max_tangent_norm)
        return radius

    def coordinates(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what `__call__` does for features `[n, d]`, up to rounding."""
        point = lorentz.expmap0(features, self.curvature, self.max_tangent_norm)
        return {
            "features": features,
            "klein": point[0],
            "lorentz": to_lorentz(point, self.curvature),
            "poincare": to_poincare(point, self.curvature),
            "radius": self.radius(features),
        }

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Embeds images.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.

        Returns:
            `features [n, d]`, the Klein vector tanh(r) u `klein [n, d]`, hyperboloid
            coordinates `lorentz [n, d + 1]` (time first), coordinates in the Poincare
            ball of radius 1/s `poincare [n, d]`, and `radius [n]`: the distance from
            the origin in units of 1/s, s = sqrt(-K).

        The operations are those that TFLite and ONNX have: neither has all of which
        `lorentz.expmap0` makes log cosh(r).
        """
        features = self.features(images)
        klein, _ = lorentz.expmap0(features, self.curvature, self.max_tangent_norm)
        radius = self.radius(features)
        # Without overflow: exp(-r) is at most 1.
        shrinking = tf.exp(-radius)[:, None]
        inverse_gamma = 2.0 * shrinking / (1.0 + tf.square(shrinking))
        scale = math.sqrt(-self.curvature)
        time = 1.0 / (scale * inverse_gamma)
        return {
            "features": features,
            "klein": klein,
            "lorentz": tf.concat([time, time * klein], axis=-1),
            "poincare": klein / (scale * (1.0 + inverse_gamma)),
            "radius": radius,
        }


def curvature_of_median_radius(features: np.ndarray) -> float:
    """Returns the K at which the median of r = sqrt(-K) |v| is 2.

    Args:
        features: `[n, d]` tangent vectors. If their median norm is 0, K is -1.
    """
    median = float(np.median(np.linalg.norm(features.astype(np.float64), axis=-1)))
    return -((_MEDIAN_RADIUS / median) ** 2) if median > 0 else -1.0
