"""The server of DIPGSafety."""
