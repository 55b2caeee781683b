"""WebSockets on the socket itself: handshake, link, transport, what waits to be sent, and what a whole room gets."""
