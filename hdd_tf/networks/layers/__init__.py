"""Keras layers of our own: the fused block of the ConvNet, and instance norm."""
