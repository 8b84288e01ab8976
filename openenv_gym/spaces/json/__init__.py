"""Spaces from JSON schemas, and values of Spaces as JSON."""
