"""What a chat says, in words: events as sentences, polls as cards, times; all of it safe to show."""
