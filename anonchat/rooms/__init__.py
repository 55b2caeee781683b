"""Rooms: made, shown, invited to, expired, ended."""
