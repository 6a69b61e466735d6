"""The command `python -m hdd_tf.evaluate SET_OR_RUN`, which scores a set."""
