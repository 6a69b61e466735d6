"""Hyperbolic and Euclidean geometry: points, centroids, distances and losses."""

from hdd_tf.keras_settings import import_keras

# Before a module of this package imports Keras: a backend that does not do is said in
# one line.
import_keras()
