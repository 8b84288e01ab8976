"""The server of FinRL."""
