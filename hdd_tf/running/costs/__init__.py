"""What a run costs in time and in memory, before it starts."""
