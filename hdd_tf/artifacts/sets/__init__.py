"""Distilled sets: their contents and their files."""
