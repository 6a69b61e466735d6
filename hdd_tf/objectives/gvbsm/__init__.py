"""G-VBSM: statistics of a pool of trained networks, matched by groups of images."""
