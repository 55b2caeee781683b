"""The core's statements, built once, and how rows become models. The only SQL outside of the storage backends."""
