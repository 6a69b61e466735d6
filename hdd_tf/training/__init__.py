"""Training of networks: the update, the loop in the graph, experts and teachers."""
