"""The peers are there, and what runs in them tells what it has to tell."""

from __future__ import annotations

import pytest

from tests.openenv.peers import LEGACY, PeerError, PeerPython, requires_peers

pytestmark = requires_peers


def test_a_function_is_called_in_the_peer(peer: PeerPython) -> None:
    assert peer.call("importlib.metadata:version", distribution_name="openenv") == "0.10.0"


def test_what_it_raises_is_told(peer: PeerPython) -> None:
    with pytest.raises(PeerError, match="No package metadata") as caught:
        peer.call("importlib.metadata:version", distribution_name="no such thing")
    assert caught.value.kind == "PackageNotFoundError"


def test_the_legacy_release() -> None:
    python = PeerPython(LEGACY)
    try:
        assert (
            python.call("importlib.metadata:version", distribution_name="openenv-core") == "0.1.1"
        )
    finally:
        python.close()
