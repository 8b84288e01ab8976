"""The server of Gymnasium."""
