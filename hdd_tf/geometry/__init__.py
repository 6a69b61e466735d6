"""Hyperbolic space: points, centroids, distances, and losses made of them."""
