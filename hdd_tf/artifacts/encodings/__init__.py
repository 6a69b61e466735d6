"""How a directory holds the images of a distilled set: one module an encoding."""
