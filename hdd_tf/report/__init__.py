"""Results of many runs beside the published ones: `python -m hdd_tf.report`."""
