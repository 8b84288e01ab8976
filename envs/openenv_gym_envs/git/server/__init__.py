"""The server of Git."""
