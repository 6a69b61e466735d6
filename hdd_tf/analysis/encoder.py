"""From pixels to hyperbolic space: a trained network, the lift, coordinates.

Its lift is apart from the one that is matched in. With the published settings every
radius there is cut to 10, so all Lorentz weights are equal
and there would be nothing to see.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.geometry import lorentz
from hdd_tf.networks.functional import FunctionalNetwork

# The radius that half of the real images are to lie within, in units of 1/s: far
# enough out for the weights cosh(r) to differ, and well inside the disk's rim.
_MEDIAN_RADIUS = 2.0


class HyperbolicEncoder(tf.Module):
    """Images to features and to points of hyperbolic space, normalisation included.

    Args:
        network: A function of its weights, without state.
        weights: Tensors of `network.weight_shapes`.
        normalisation: How the network takes images.
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
        """Returns r = s |v| `[n]` of features `[n, d]`, however large."""
        radius = math.sqrt(-self.curvature) * tf.norm(features, axis=-1)
        if self.max_tangent_norm > 0:
            radius = tf.minimum(radius, self.max_tangent_norm)
        return radius

    def coordinates(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what `__call__` does, of features `[n, d]`."""
        point = lorentz.expmap0(features, self.curvature, self.max_tangent_norm)
        return {
            "features": features,
            "klein": point[0],
            "lorentz": lorentz.to_lorentz(point, self.curvature),
            "poincare": lorentz.to_poincare(point, self.curvature),
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
        """
        return self.coordinates(self.features(images))


def curvature_of_median_radius(features: np.ndarray) -> float:
    """Returns the K at which the median of r = sqrt(-K) |v| is 2.

    Args:
        features: `[n, d]`. Where most of them vanish, -1 is returned.
    """
    median = float(np.median(np.linalg.norm(features.astype(np.float64), axis=-1)))
    return -((_MEDIAN_RADIUS / median) ** 2) if median > 0 else -1.0
