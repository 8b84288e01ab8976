"""The real openenv at the other end: its clients with our servers, its servers with our clients."""
