"""The objectives of class-wise matching, one a module, and their comparisons."""
