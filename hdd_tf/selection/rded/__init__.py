"""RDED: crops of real images that a trained network is surest of, stitched."""
