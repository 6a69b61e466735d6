"""How a network is trained: the protocol, the update, the loop in the graph."""
