"""The server of Connect4."""
