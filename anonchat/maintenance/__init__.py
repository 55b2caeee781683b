"""What is done while no server runs: examine, restore, move."""
