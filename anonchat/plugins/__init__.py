"""How plugins are found, what they declare, and how they are asked: in isolation, and in time."""
