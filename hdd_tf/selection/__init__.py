"""Methods without iterations: real images chosen, or images generated, once."""
