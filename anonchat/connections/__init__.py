"""One client: from a text frame to its answer, and what it is told when it comes."""
