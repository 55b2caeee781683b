"""A server as a process: started, watched by its parent, stopped."""
