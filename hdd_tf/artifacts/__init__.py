"""The files of a run: distilled sets, pictures, summaries and the run directory."""
