"""Methods that match gradients of a network's weights."""
