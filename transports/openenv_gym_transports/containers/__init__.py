"""Containers of the Docker transport: the engine, how they are confined, and who owns them."""
