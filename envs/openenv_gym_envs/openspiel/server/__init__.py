"""The server of OpenSpiel."""
