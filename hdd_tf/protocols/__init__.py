"""How a network trains: as data, and the parts it names."""
