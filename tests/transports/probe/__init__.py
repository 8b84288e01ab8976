"""An environment that misbehaves when asked to, and tells of where it runs."""
