"""What the command line does to an installation from outside: examine, ask a running server, restore, move."""
