"""The server of Coding."""
