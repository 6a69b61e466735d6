"""From data sets on disk to arrays in memory."""
