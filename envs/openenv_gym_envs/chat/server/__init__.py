"""The server of Chat."""
