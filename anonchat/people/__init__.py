"""Who is in a room: sessions, names, places, ranks, and who sees whom."""
