"""Networks: what they compute, and how their weights are drawn."""
