"""Sets that other programs made: reading them, and what their values mean."""
