"""The Python interface behind `hdd_tf.distill`, `evaluate`, `load` and `export`."""
