"""Data sets: names, splits, normalisation, and random draws of images."""
