"""Decoded images of data sets, kept raw so that later starts need not decode them."""
