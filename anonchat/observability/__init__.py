"""What a server says of itself: log, metrics, and who blocks its event loop."""
