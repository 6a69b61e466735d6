"""What trains and tests a network inside the graph, in calls of a few seconds."""
