"""The bank: summaries of real images, computed once and reused."""
