"""What a file of TensorBoard holds, read without the writer."""

import tensorflow as tf


def read_values(directory):
    """Returns {tag: {step: tensor}} of all event files, oldest first."""
    values = {}
    for path in sorted(directory.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                tensor = tf.make_ndarray(value.tensor)
                values.setdefault(value.tag, {})[event.step] = tensor
    return values
