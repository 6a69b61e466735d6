"""Settings that only one objective has, or objectives of one family."""
