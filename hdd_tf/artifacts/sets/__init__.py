"""Distilled sets: what they hold, and their files."""
