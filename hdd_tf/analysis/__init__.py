"""Real and synthetic images seen through one encoder, in hyperbolic space."""
