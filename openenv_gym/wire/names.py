"""Names and numbers that both ends of a connection know: each is written here, and nowhere else."""

from __future__ import annotations

# Our own protocol

SUBPROTOCOL = "openenv-gym.1"
"""Subprotocol of a WebSocket; without it a server speaks OpenEnv's own protocol there."""

CONTENT_TYPE = "application/vnd.openenv-gym.1+msgpack"
"""Content type of a message over HTTP."""

WEBSOCKET_PATH = "/ws"
EXCHANGE_PATH = "/exchange"

SESSION_HEADER = "X-Session-ID"
"""Header by which a client proposes the id of its session, and a server names it."""

SESSION_COOKIE = "openenv_session"
"""Cookie that names the session to clients of OpenEnv's routes."""

MAX_MESSAGE = 1 << 30
"""Bytes of the largest message that is received."""

MAX_REQUEST = 1 << 26
"""Bytes of the largest request to a server for the network: of an action, mostly."""

TOKEN_VARIABLE = "OPENENV_GYM_TOKEN"
"""Environment variable of a server's token, which a command line would show to every user."""

HANDSHAKE_LIMIT = 10.0
"""Seconds that the handshake of a pipe may take."""

CLOSE_LIMIT = 5.0
"""Seconds that the other end may take to close."""

SERVER_ENDED = 4001
"""Code by which a server of ours closes a WebSocket when it ends, and all its sessions with it."""

NOT_FINITE_HEADER = "X-Not-Finite-As-Text"
"""Header by which our page asks for "NaN" where OpenEnv's protocol has null."""

CLIENT_ADDRESS = "X-Client-Address"
"""Header with the client's own address: the server sees the same where nothing is between them."""

# The routes of OpenEnv's own protocol

RESET_PATH = "/reset"
STEP_PATH = "/step"
STATE_PATH = "/state"
SCHEMA_PATH = "/schema"
METADATA_PATH = "/metadata"
CONFIG_PATH = "/config"
HEALTH_PATH = "/health"
READY_PATH = "/ready"
METRICS_PATH = "/metrics"
OPENAPI_PATH = "/openapi.json"
MCP_PATH = "/mcp"

MCP_SESSION_HEADER = "mcp-session-id"
"""Header by which MCP itself names a session."""
