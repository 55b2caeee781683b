"""How plugins are found, what they and the core declare, and how they are asked: in isolation, and in time."""
