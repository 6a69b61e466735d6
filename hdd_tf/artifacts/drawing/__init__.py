"""What pictures share: fonts for names of any script, lines, pages, a matrix."""
