"""Gives Keras its own defaults; the examples here import this file before Keras.

A keras.json of the user, or KERAS_BACKEND, may ask for another backend, precision or
order of an image's axes; the networks here would then be others, or none. TensorFlow
looks for Keras too when it is imported, so this comes first of all.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.pop("TF_USE_LEGACY_KERAS", None)

import keras

keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
