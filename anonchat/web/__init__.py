"""The pages and static files that the server shows."""
