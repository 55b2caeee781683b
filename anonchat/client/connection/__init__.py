"""Kept up across lost connections: frames out and back, each message until it is answered, each event once and in order."""
