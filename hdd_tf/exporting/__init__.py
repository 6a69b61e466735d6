"""Exports of a run: sets, SavedModels and projector files."""
