"""Encodings of a distilled set's images in files, one module an encoding."""
