"""Spaces: made from models, converted to and from their values, and told as JSON."""
