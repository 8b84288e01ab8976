"""Envelopes: what a message is and which number it has, without decoding what it carries."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from openenv_gym.errors import CodecError
from openenv_gym.wire import messages
from openenv_gym.wire.messages import Reply, Request

_SHORT_LIST = 0x90  # first byte of msgpack, with the length in its lower half

_parts = msgspec.msgpack.Decoder(list[msgspec.Raw])
_kind = msgspec.msgpack.Decoder(str)
_number = msgspec.msgpack.Decoder(int)
_flag = msgspec.msgpack.Decoder(bool)


class Envelope(NamedTuple):
    """A message that is passed on as it came.

    Attributes:
        kind: Class of the message.
        id: Number of the request, or of the one that is replied to.
        timed: The request asks for times; False of a reply.
        data: The whole message.
    """

    kind: type[Request] | type[Reply]
    id: int
    timed: bool
    data: bytes | bytearray | memoryview


def _classes() -> dict[str, tuple[type[Request] | type[Reply], int, int]]:
    """Each message by its tag, and where its number and its flag stand."""
    found: dict[str, tuple[type[Request] | type[Reply], int, int]] = {}
    for cls in vars(messages).values():
        if isinstance(cls, type) and issubclass(cls, Request | Reply):
            fields = cls.__struct_fields__
            timed = fields.index("timed") + 1 if "timed" in fields else 0
            found[cls.__name__] = (cls, fields.index("id") + 1, timed)
    return found


_CLASSES = _classes()


def read_envelope(data: bytes | bytearray | memoryview) -> Envelope:
    """Return the envelope of an encoded message.

    Raises:
        CodecError: The bytes are not a message.
    """
    try:
        if data[0] & 0xF0 != _SHORT_LIST:  # a long one would take memory before it is refused
            raise IndexError("a message has no more than 15 fields")
        parts = _parts.decode(data)
        cls, number, timed = _CLASSES[_kind.decode(parts[0])]
        flag = bool(timed) and _flag.decode(parts[timed])
        return Envelope(cls, _number.decode(parts[number]), flag, data)
    except (msgspec.MsgspecError, KeyError, IndexError, RecursionError) as error:
        raise CodecError(
            f"{len(data)} bytes are not a message of openenv-gym: {error}. Is the other end an "
            "openenv-gym of the same protocol version?",
            size=len(data),
        ) from error
