"""Augmentations of image batches inside the graph."""
