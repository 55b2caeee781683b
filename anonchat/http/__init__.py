"""REST: declared routes, one handler that runs them all, and the few pages that the server shows."""
