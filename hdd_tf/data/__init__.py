"""Data sets: where images come from, their splits, and random draws from them."""
