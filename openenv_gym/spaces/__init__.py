"""Spaces: derived from models, converted to and from field values, and described as JSON."""
