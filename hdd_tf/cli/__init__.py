"""The programs: commands and their start."""
