"""What a run writes: distilled sets, pictures, summaries and the run directory."""
