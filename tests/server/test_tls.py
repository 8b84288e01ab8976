"""Servers that encrypt: with a certificate, and with one of each client."""

from __future__ import annotations

import argparse
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from openenv_gym.errors import OptionError
from openenv_gym.server import connections
from openenv_gym.server.run import tls_context
from tests.certificates import Certificates, make_certificates
from tests.environments import THREADED
from tests.servers import Served, serving


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def arguments(
    certificate: Path | None = None, key: Path | None = None, ca: Path | None = None
) -> argparse.Namespace:
    return argparse.Namespace(ssl_certfile=certificate, ssl_keyfile=key, ssl_ca=ca)


def trusting(certificates: Certificates, client: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates.ca)
    if client is not None:
        context.load_cert_chain(client)
    return context


@pytest.fixture(scope="module")
def encrypting(certificates: Certificates) -> Iterator[Served]:
    with serving(THREADED, tls=tls_context(arguments(certificates.server))) as served:
        yield served


def test_encrypted(encrypting: Served, certificates: Certificates) -> None:
    url = f"{encrypting.url('http')}/health"
    assert httpx.get(url, verify=trusting(certificates)).json() == {"status": "healthy"}
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(url)


def test_garbage_instead_of_a_handshake(encrypting: Served, certificates: Certificates) -> None:
    for said in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70_000):
        with socket.create_connection(("127.0.0.1", encrypting.port), timeout=60.0) as sock:
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
    test_encrypted(encrypting, certificates)


def test_no_handshake(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's time is limited before it as well."""
    monkeypatch.setattr(connections, "FIRST_REQUEST", 0.3)
    with (
        serving(THREADED, tls=tls_context(arguments(certificates.server))) as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=60.0) as sock,
    ):
        assert sock.recv(1) == b""


def test_clients_with_a_certificate(certificates: Certificates) -> None:
    context = tls_context(arguments(certificates.server, ca=certificates.ca))
    with serving(THREADED, tls=context) as served:
        url = f"{served.url('http')}/health"
        verify = trusting(certificates, certificates.client)
        assert httpx.get(url, verify=verify).status_code == 200
        for client in (None, certificates.stranger):
            with pytest.raises(httpx.TransportError):
                httpx.get(url, verify=trusting(certificates, client))
        assert httpx.get(url, verify=verify).status_code == 200


def test_certificates_that_are_none(certificates: Certificates, tmp_path: Path) -> None:
    missing, text = tmp_path / "missing.pem", tmp_path / "text.pem"
    text.write_text("nonsense")
    for given in (arguments(missing), arguments(text), arguments(certificates.server, text)):
        with pytest.raises(OptionError, match=r"--ssl-certfile .*\.pem"):
            tls_context(given)
    with pytest.raises(OptionError, match=r"--ssl-ca .*text\.pem"):
        tls_context(arguments(certificates.server, ca=text))
    for given in (arguments(key=text), arguments(ca=text)):
        with pytest.raises(OptionError, match="need --ssl-certfile"):
            tls_context(given)


def test_key_with_a_password(certificates: Certificates, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "ec", "-aes128", "-passout", "pass:secret", "-out", str(key)],
        input=certificates.server.read_bytes(),
        capture_output=True,
        check=True,
    )
    with pytest.raises(OptionError, match="has a password"):
        tls_context(arguments(certificates.server, key))


def test_the_command(certificates: Certificates) -> None:
    command = [sys.executable, "-m", "openenv_gym.cli", "serve", "echo", "--port", "0"]
    with subprocess.Popen(
        [*command, "--ssl-certfile", str(certificates.server)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            found = None
            while found is None:
                line = server.stderr.readline()
                assert line, "it has ended"
                found = re.search(r"wss://(\S+) and https://(\S+);", line)
            assert found.group(1) == found.group(2)
            url = f"https://{found.group(1)}/health"
            assert httpx.get(url, verify=trusting(certificates)).status_code == 200
        finally:
            server.terminate()
