"""The roles of storage, which backend plays them, and work that waits for it together."""
