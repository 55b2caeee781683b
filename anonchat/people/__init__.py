"""Who is in a room: sessions, names, seats, and who sees whom."""
