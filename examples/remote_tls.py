"""A server with TLS and a token, and a client that trusts its certificate and no other.

    python -m pip install -e ".[connect4,server]" && python examples/remote_tls.py

The certificate is made on the spot by the program ``openssl``. On two machines: the server has the
certificate, its key and ``OPENENV_GYM_TOKEN``; the client has the certificate (or trusts its
authority), and the token.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gymnasium as gym

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import AuthenticationError, ConnectError

OPENSSL = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
SUBJECT = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
SERVE = [sys.executable, "-m", "openenv_gym.cli", "serve", "connect4"]
START_LIMIT = 120.0
"""Seconds until the server must be there."""


def connect(url: str, certificate: Path, token: str) -> gym.Env:
    """Return the environment; wait until the server is there."""
    deadline = time.monotonic() + START_LIMIT
    while True:
        try:
            return gym.make(
                "openenv/Connect4-v0",
                url=url,
                token=token,
                transport_options={"verify": str(certificate), "start_timeout": 5.0},
            )
        except ConnectError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main(port: int) -> str:
    """Play a step over wss; return what the wrong token was answered."""
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "server.pem"), Path(folder, "server.key")
        files = ["-out", certificate, "-keyout", key]
        subprocess.run([*OPENSSL.split(), *SUBJECT, *files], check=True, capture_output=True)
        server = subprocess.Popen(
            [*SERVE, f"--port={port}", f"--ssl-certfile={certificate}", f"--ssl-keyfile={key}"],
            env={**os.environ, "OPENENV_GYM_TOKEN": token},
        )
        try:
            url = f"wss://localhost:{port}"
            with connect(url, certificate, token) as env:
                env.reset(seed=0)
                print(env.step(3)[0])
            try:
                connect(url, certificate, "not-the-token")
            except AuthenticationError as error:
                print(error)
                return str(error)
            raise RuntimeError("a wrong token was accepted")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8443)
