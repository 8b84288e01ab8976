"""The server: sessions behind a pipe, HTTP or a WebSocket."""
