"""Clients over TLS: the CA that they trust, and the certificate that they show."""

from __future__ import annotations

import argparse
import contextlib
import copy
import pickle
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import httpx
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import ConnectError, CopyError, OptionError
from openenv_gym.server.run import tls_context
from openenv_gym_transports.http import HttpTransport
from openenv_gym_transports.websocket import WebSocketTransport
from tests.certificates import Certificates, make_certificates
from tests.environments import THREADED
from tests.servers import Served, serving
from tests.transports.clients import count_of
from tests.transports.proxy import proxying


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def exacting(certificates: Certificates) -> Iterator[Served]:
    """A server that wants a certificate of its clients, and a token."""
    arguments = argparse.Namespace(
        ssl_certfile=certificates.server, ssl_keyfile=None, ssl_ca=certificates.ca
    )
    with serving(THREADED, tls=tls_context(arguments), token="s3cret") as served:
        yield served


def opened(served: Served, transport: str, **options: Any) -> OpenEnvGym:
    return OpenEnvGym(
        THREADED,
        transport=transport,
        url=served.url(transport),
        token="s3cret",
        transport_options=options,
    )


def context_of(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates.ca)
    context.load_cert_chain(certificates.client)
    return context


@pytest.mark.parametrize("form", ["paths", "context"])
def test_ca_and_client_certificate(
    transport: str, form: str, exacting: Served, certificates: Certificates
) -> None:
    options: dict[str, Any] = {"verify": str(certificates.ca), "cert": certificates.client}
    if form == "context":
        options = {"verify": context_of(certificates)}
    env = opened(exacting, transport, **options)
    env.reset()
    assert [count_of(env) for _ in range(3)] == [1, 2, 3]
    env.close()


def test_client_with_certificates_of_its_own(exacting: Served, certificates: Certificates) -> None:
    with httpx.Client(verify=context_of(certificates)) as client:
        env = opened(exacting, "http", client=client)
        env.reset()
        assert count_of(env) == 1
        env.close()


def test_by_way_of_a_proxy_nothing_is_readable(
    transport: str, exacting: Served, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    with proxying() as way:
        monkeypatch.setenv("https_proxy", way.url)
        env = opened(exacting, transport, verify=certificates.ca, cert=certificates.client)
        env.reset()
        assert count_of(env) == 1
        env.close()
        assert all(head.startswith(b"CONNECT 127.0.0.1:") for head in way.seen)
        assert way.seen
        assert b"s3cret" not in b"".join(way.seen)


def test_server_that_is_not_trusted(transport: str, exacting: Served) -> None:
    with pytest.raises(ConnectError, match=r"CERTIFICATE_VERIFY_FAILED.*as verify="):
        opened(exacting, transport)


def test_what_is_not_a_certificate(
    transport: str, certificates: Certificates, tmp_path: Path
) -> None:
    kind = {"http": HttpTransport, "websocket": WebSocketTransport}[transport]
    url = {"http": "https", "websocket": "wss"}[transport] + "://far.example"
    text = tmp_path / "text.pem"
    text.write_text("nonsense")
    wrong: list[dict[str, Any]] = [
        {"verify": tmp_path / "missing.pem"},
        {"verify": text},
        {"verify": False},
        {"cert": tmp_path / "missing.pem"},
        {"cert": text},
        {"cert": ()},
        {"cert": (certificates.client, text)},
        {"verify": context_of(certificates), "cert": certificates.client},
    ]
    for options in wrong:
        with pytest.raises(OptionError, match=next(iter(options)) + "="):
            kind(url=url, **options)
    with pytest.raises(OptionError, match="url="):
        kind(verify=certificates.ca)


def test_transports_with_certificates_are_values(certificates: Certificates) -> None:
    paths = HttpTransport(
        url="https://far.example", verify=certificates.ca, cert=(certificates.client,)
    )
    assert pickle.loads(pickle.dumps(paths)) == copy.deepcopy(paths) == paths
    assert "client.pem" not in repr(paths)
    context = context_of(certificates)
    shared = WebSocketTransport(url="wss://far.example", verify=context)
    assert copy.deepcopy(shared) == shared == WebSocketTransport(url=shared.url, verify=context)
    assert shared != WebSocketTransport(url=shared.url, verify=context_of(certificates))
    with pytest.raises(CopyError, match="path"):
        pickle.dumps(shared)
    with httpx.Client() as client:
        by_client = HttpTransport(url="http://far.example", client=client)
        assert copy.deepcopy(by_client) == by_client
        with pytest.raises(CopyError, match="client="):
            pickle.dumps(by_client)


@pytest.mark.parametrize("form", ["object", "options"])
def test_made_by_gymnasium_with_a_context(
    form: str, exacting: Served, certificates: Certificates
) -> None:
    """Gymnasium copies the keywords, which a context does not allow."""
    context = context_of(certificates)
    url = exacting.url("http")
    if form == "object":
        transport = HttpTransport(url=url, token="s3cret", verify=context)
        env = gymnasium.make("openenv/Remote-v0", transport=transport)
    else:
        env = gymnasium.make(
            "openenv/Remote-v0", url=url, token="s3cret", transport_options={"verify": context}
        )
    with contextlib.closing(env):
        env.reset(seed=1)
        assert env.spec is not None
        with contextlib.closing(gymnasium.make(env.spec)) as twin:
            twin.reset(seed=1)
