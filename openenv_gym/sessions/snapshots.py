"""The episode of a session as bytes, and back: plain values only, nothing is ever unpickled."""

from __future__ import annotations

import hmac
import secrets
from typing import Any, NamedTuple

from openenv_gym import registry
from openenv_gym.errors import CodecError, SnapshotError
from openenv_gym.wire.codec import decode_value, encode_value

_KEY = secrets.token_bytes(32)
"""Of this process. An emulator that is given a forged state may do anything."""

_SIGNATURE = 32  # bytes


class Episode(NamedTuple):
    """An episode, saved.

    Attributes:
        saved: What the environment saved.
        running: It can be stepped.
        over: It has ended.
    """

    saved: Any
    running: bool
    over: bool


def pack_episode(environment: str, episode: Episode, *, owner: bool) -> bytes:
    """Return the bytes of an episode of an environment, which begin with a signature.

    Args:
        environment: Its name.
        episode: The episode.
        owner: They are for the owner: the place of the signature stays empty.

    Raises:
        SnapshotError: What the environment saved is not plain.
    """
    try:
        data = encode_value([environment, *episode])
    except CodecError as error:
        raise SnapshotError(f"{environment} cannot be saved: {error}") from error
    return (bytes(_SIGNATURE) if owner else _sign(data)) + data


def _sign(data: bytes) -> bytes:
    return hmac.digest(_KEY, data, "sha256")


def unpack_episode(environment: str, data: bytes, *, owner: bool) -> Episode:
    """Return the episode in the bytes.

    Args:
        environment: Name of the environment that is to go on with it.
        data: What :func:`pack_episode` returned.
        owner: They are from the owner, who may restore what nobody signed.

    Raises:
        SnapshotError: They are not a snapshot of such an environment.
    """
    signature, data = data[:_SIGNATURE], data[_SIGNATURE:]
    if not owner and not hmac.compare_digest(signature, _sign(data)):
        raise SnapshotError(
            "This server takes snapshots that it made itself since it was started, and this is "
            "not one: only its owner can restore others."
        )
    try:
        name, saved, running, over = decode_value(data)
    except (CodecError, TypeError, ValueError) as error:
        raise SnapshotError(
            "These bytes are not a snapshot: give what snapshot() returned."
        ) from error
    if registry.without_path(str(name)) != registry.without_path(environment):
        raise SnapshotError(
            f"This is a snapshot of {name!r:.80}, not of {environment!r}.", environment=environment
        )
    return Episode(saved, bool(running), bool(over))
