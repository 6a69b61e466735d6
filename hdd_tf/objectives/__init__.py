"""What is matched: one objective a file, behind one small protocol."""
