"""The methods as data: this package neither computes nor imports TensorFlow."""
