"""Keras layers of hyperbolic geometry, as `hdd_tf.layers`.

A point of hyperbolic space travels between layers as the pair `(klein, log_gamma)`,
which is right in float32 at any radius; see `hdd_tf/geometry/lorentz.py`.

    >>> import numpy as np
    >>> from hdd_tf import layers
    >>> features = np.array([[[0.3, 0.0], [0.1, 0.2]]], "float32")  # [1, n=2, d=2]
    >>> klein, log_gamma = layers.LorentzCentroid()(layers.ExpMap0(-1.0)(features))
    >>> tuple(klein.shape), tuple(log_gamma.shape)
    ((1, 2), (1,))
    >>> layers.ToLorentz(-1.0)((klein, log_gamma)).numpy().shape  # Time first.
    (1, 3)
"""

from hdd_tf.geometry.layers import (
    ExpMap0,
    LorentzCentroid,
    LorentzLift,
    ToLorentz,
    ToPoincare,
)

__all__ = ["ExpMap0", "LorentzCentroid", "LorentzLift", "ToLorentz", "ToPoincare"]
