"""Links: open sessions over a pipe, a WebSocket or HTTP, and the processes that they start."""
