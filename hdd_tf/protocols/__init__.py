"""Training protocols as data, and the parts that they name."""
