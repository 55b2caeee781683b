"""A server as a process: started, watched by its parent, at work now and then, stopped."""
