"""Matching of training trajectories: the whole set, through many steps of training."""
