"""What is made of a run afterwards: sets, SavedModels, projector files."""
