"""The server of Chess."""
