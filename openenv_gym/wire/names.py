"""Names and numbers that both ends of a network know."""

from __future__ import annotations

SERVER_ENDED = 4001
"""Code by which a server of ours closes a WebSocket when it ends, and all its sessions with it."""

CLIENT_ADDRESS = "X-Client-Address"
"""Header with the client's own address: the server sees the same where nothing is between them."""
