"""The command `python -m hdd_tf.evaluate SET_OR_RUN`, which scores a set.

`hdd_tf.evaluate(...)` does the same from Python. That function is in
hdd_tf/api/evaluating.py, and `hdd_tf.evaluate` is the function also when this package
has been imported: hdd_tf/__init__.py sees to that.
"""
