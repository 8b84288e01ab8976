"""The server of Atari."""
