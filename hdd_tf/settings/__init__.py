"""The settings of a run: what they accept, and the table of them, in groups."""
