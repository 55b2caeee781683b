"""The way of an event: its place in the order, to every node, into memory, to every connection."""
