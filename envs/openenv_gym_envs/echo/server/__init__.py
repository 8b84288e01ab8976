"""The server of Echo."""
