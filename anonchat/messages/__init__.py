"""Messages: taken in, stored, held, edited, deleted."""
