"""Files: atomic writes, locks, checksums, and readers that do not trust a file."""
