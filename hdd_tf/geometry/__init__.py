"""Hyperbolic and Euclidean geometry: points, centroids, distances and losses."""
