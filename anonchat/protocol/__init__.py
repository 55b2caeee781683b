"""What is said between client and server: frames, schemas, texts, cursors. No Tornado, no I/O."""
