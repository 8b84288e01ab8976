"""JsonText: the Space of texts of JSON, for values that no other Space can bound.

An object with any keys, a value of any type, and a model that is nested in itself each become one
text, which :func:`json.loads` reads.
"""

from __future__ import annotations

import contextlib
import json
import string
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.wrappers.utils import create_zero_array

from openenv_gym.spaces.pattern_text import FORMATS, sampler
from openenv_gym.spaces.utf8 import Utf8

LONGEST = 65536
"""Default of the most code points of a text."""

_DEEPEST = 2  # levels of a sample below which it has only its required parts
_LONGEST_CHAIN = 8  # references to references
_LETTERS = list(string.ascii_lowercase)

_KINDS: Mapping[Any, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


class JsonText(Utf8):
    """Texts that are a value of JSON.

    Args:
        schema: JSON schema of the values. Samples follow its types, required properties and enums;
            :meth:`contains` checks only the type of the outermost value.
        max_length: Most code points.
        seed: Seed of :meth:`sample`.
    """

    def __init__(
        self,
        schema: Mapping[str, Any] | None = None,
        *,
        max_length: int = LONGEST,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        self.schema = dict(schema or {})
        super().__init__(max_length, min_length=1, seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return a random text of a small value.

        Raises:
            ValueError: A mask or probability was given, which texts do not have.
        """
        if mask is not None or probability is not None:
            raise ValueError("JsonText.sample() takes no mask and no probability")
        return dump(_sample(self.schema, self.schema, self.np_random, 0))

    def contains(self, x: Any) -> bool:
        """Return whether x is a text of JSON, with the schema's outermost type."""
        if not super().contains(x):
            return False
        try:
            value = load(x)
        except ValueError:
            return False
        kinds = self.schema.get("type")
        fits = [
            _KINDS[kind]
            for kind in (kinds if isinstance(kinds, list) else [kinds])
            if kind in _KINDS
        ]
        return not fits or any(fit(value) for fit in fits)

    def __repr__(self) -> str:
        kind = self.schema.get("type")
        return f"JsonText({'' if kind is None else f'{kind}, '}max_length={self.max_length})"

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and isinstance(other, JsonText) and self.schema == other.schema

    def __hash__(self) -> int:
        return hash((JsonText, self.max_length))


_EMPTY = {"boolean": "false", "integer": "0", "number": "0", "string": '""', "array": "[]"}


def _create_zero_array(space: JsonText) -> str:
    kinds = space.schema.get("type", "null")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    return "{}" if kind == "object" else _EMPTY.get(kind, "null")


register: Any = create_zero_array.register  # its own stub knows gymnasium's Spaces alone
register(JsonText, _create_zero_array)


def dump(value: Any) -> str:
    """Return the text of a value of JSON, without blanks; NaN and infinity are null."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair is not valid Unicode, but JSON can escape it
        return json.dumps(value, separators=(",", ":"))
    except ValueError:
        return dump(_finite(value))
    return text


def load(text: str) -> Any:
    """Return the value in a text of JSON.

    Raises:
        ValueError: The text is not valid JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _sample(schema: Any, root: Mapping[str, Any], random: np.random.Generator, depth: int) -> Any:
    """Return a random value that follows a schema and is small below some levels."""
    schema = _resolve(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][int(random.integers(len(schema["enum"])))]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        flat = [one for one in options if _resolve(one, root).get("type") not in _NESTED]
        chosen = flat if flat and depth >= _DEEPEST else options
        return _sample(chosen[int(random.integers(len(chosen)))], root, random, depth)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[int(random.integers(len(kind)))]
    if kind not in _SAMPLERS:
        kind = _FLAT[int(random.integers(len(_FLAT)))]
    return _SAMPLERS[kind](schema, root, random, depth)


def _resolve(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema to which a reference within the root points."""
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            break
        found: Any = root
        for part in schema["$ref"].split("/")[1:]:
            found = found.get(part, {}) if isinstance(found, Mapping) else {}
        schema = found
    return schema if isinstance(schema, Mapping) else {}


def _number(schema: Any, root: Any, random: np.random.Generator, depth: int) -> Any:
    low, high = schema.get("minimum", schema.get("exclusiveMinimum", -10)), schema.get("maximum")
    high = low + 20 if high is None else high
    return round(float(random.uniform(low, max(low, high))), 3)


def _integer(schema: Any, root: Any, random: np.random.Generator, depth: int) -> Any:
    low = int(schema.get("minimum", schema.get("exclusiveMinimum", -11) + 1))
    step = max(int(schema.get("multipleOf", 1)), 1)
    low = -(-low // step)
    high = schema.get("maximum", schema.get("exclusiveMaximum", step * (low + 21)) - 1)
    return step * int(random.integers(low, max(low, int(high) // step), endpoint=True))


def _string(schema: Any, root: Any, random: np.random.Generator, depth: int) -> Any:
    shortest = int(schema.get("minLength", 0))
    longest = int(schema.get("maxLength", LONGEST))
    pattern = schema.get("pattern") or FORMATS.get(schema.get("format", ""))
    if pattern is not None:
        with contextlib.suppress(ValueError):  # no text for the pattern is found
            return sampler(pattern).sample(random, shortest, longest)
    longest = min(longest, shortest + 8)
    return "".join(random.choice(_LETTERS, int(random.integers(shortest, longest, endpoint=True))))


def _array(schema: Any, root: Any, random: np.random.Generator, depth: int) -> Any:
    if "prefixItems" in schema:
        return [_sample(one, root, random, depth + 1) for one in schema["prefixItems"]]
    shortest = int(schema.get("minItems", 0))
    most = min(schema.get("maxItems", shortest + 3), shortest + (0 if depth >= _DEEPEST else 3))
    count = int(random.integers(shortest, max(shortest, most), endpoint=True))
    return [_sample(schema.get("items"), root, random, depth + 1) for _ in range(count)]


def _object(schema: Any, root: Any, random: np.random.Generator, depth: int) -> Any:
    properties = schema.get("properties") or {}
    required = schema.get("required") or ()
    wanted = [
        name
        for name in properties
        if name in required or (depth < _DEEPEST and random.random() < 0.5)
    ]
    made = {name: _sample(properties[name], root, random, depth + 1) for name in wanted}
    if (
        not properties
        and depth < _DEEPEST
        and schema.get("additionalProperties", True) is not False
    ):
        for _ in range(int(random.integers(3))):
            name = "".join(random.choice(_LETTERS, 4))
            made[name] = _sample(schema.get("additionalProperties"), root, random, depth + 1)
    return made


_NESTED = ("array", "object")
_FLAT = ("null", "boolean", "integer", "number", "string")
_SAMPLERS: Mapping[str, Callable[..., Any]] = {
    "null": lambda schema, root, random, depth: None,
    "boolean": lambda schema, root, random, depth: bool(random.integers(2)),
    "integer": _integer,
    "number": _number,
    "string": _string,
    "array": _array,
    "object": _object,
}
