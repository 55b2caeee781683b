"""What answers and events must look like, so that the rest of the client can rely on it."""
