"""Real images chosen to stand for all of them: what distilled sets are held against."""
