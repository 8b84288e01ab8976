"""The server of TextArena."""
