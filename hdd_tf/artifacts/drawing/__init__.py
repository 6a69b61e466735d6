"""What pictures share: fonts for names of any script, lines of text, a matrix."""
