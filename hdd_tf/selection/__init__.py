"""Methods without iterations, which choose or generate images once: the coresets."""
