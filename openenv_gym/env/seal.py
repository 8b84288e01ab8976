"""The seal of a snapshot: bytes that were changed or cut on their way are noticed."""

from __future__ import annotations

import hashlib

from openenv_gym.errors import SnapshotError

_MARK = b"openenv-gym snapshot 1\n"
_DIGEST = hashlib.sha256().digest_size


def seal(data: bytes) -> bytes:
    """Return the bytes with their digest before them."""
    return _MARK + hashlib.sha256(data).digest() + data


def unseal(sealed: bytes) -> bytes:
    """Return the bytes that :func:`seal` was given.

    Raises:
        SnapshotError: They are others, or not all of them.
    """
    if not isinstance(sealed, bytes | bytearray | memoryview):
        raise SnapshotError(f"A snapshot is bytes, not {type(sealed).__name__}.")
    whole = bytes(sealed)
    data = whole[len(_MARK) + _DIGEST :]
    if not whole.startswith(_MARK):
        raise SnapshotError("These bytes are not a snapshot: give what snapshot() returned.")
    if whole[len(_MARK) :][:_DIGEST] != hashlib.sha256(data).digest():
        raise SnapshotError(
            "This snapshot is damaged: its bytes are not those that snapshot() returned. Save it "
            "again, as binary data."
        )
    return data
