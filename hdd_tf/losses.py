"""Keras losses of distribution matching, one value per class, as `hdd_tf.losses`.

>>> import numpy as np
>>> from hdd_tf import losses
>>> real = np.array([[[1.0, 0.0], [0.0, 1.0]]], "float32")  # [C=1, n=2, d=2]
>>> synthetic = np.array([[[0.0, 0.0]]], "float32")  # [C=1, m=1, d=2]
>>> losses.MeanFeatureLoss()(real, synthetic).numpy().round(2).tolist()
[0.5]
>>> losses.GeodesicCentroidLoss(curvature=-1.0)(real, synthetic).numpy().shape
(1,)
"""

from hdd_tf.geometry.losses import GeodesicCentroidLoss, MeanFeatureLoss

__all__ = ["GeodesicCentroidLoss", "MeanFeatureLoss"]
