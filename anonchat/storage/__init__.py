"""The roles of storage, and which backend plays them."""
