"""Whatever ``make``, ``make_vec`` and ``serve`` are given: it works, or one error says why not."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from openenv_gym.cli import main
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.vector.env import OpenEnvVectorEnv

TOKEN = "t0ken-of-the-server"
SECRET = "s3cr3t"  # in what is wrong
_MAY_HOLD_SECRETS = ("token", "transport_options", "options", "url")


class Odd:
    """Has no text."""

    def __repr__(self) -> str:
        raise RuntimeError("it has none")


_PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.binary(max_size=5),
    st.sampled_from(
        [
            10**5000,
            "",
            " ",
            "\ud800",
            "\0",
            ":",
            "/",
            "~",
            "~x",
            "os:system",
            "ws://[::1",
            "ws://h:99999",
            f"ws://user:{SECRET}@h",
            f"nobody:{SECRET}@h",
            f"http://user:{SECRET}@h?key={SECRET}",
            f"hf://{SECRET}@x/y",
            np.zeros(3),
            np.int64(3),
            np.float64("nan"),
            1j,
            ...,
            type,
            Odd,
            Odd(),
            object(),
            len,
            Discrete(3),
        ]
    ),
)
_VALUES = st.one_of(
    _PLAIN,
    st.lists(_PLAIN, max_size=2),
    st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), _PLAIN, max_size=2),
    st.fixed_dictionaries({"token": st.just([SECRET])}),
    st.fixed_dictionaries({"headers": st.just({"Authorization": f"{SECRET}\n"})}),
    st.fixed_dictionaries({"api_key": st.just([SECRET])}),
)
_MANY = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def nobody() -> Iterator[int]:
    """Yield a port that nobody listens at, and nobody can take."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def _keywords(cls: type) -> list[str]:
    return [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]


@pytest.mark.parametrize("transport", ["inprocess", "http", "websocket"])
@pytest.mark.parametrize("cls", [OpenEnvGym, OpenEnvVectorEnv])
def test_each_keyword_with_any_value(cls: type, transport: str, nobody: int) -> None:
    usual: dict[str, Any] = {"environment": "echo", "transport": transport}
    if transport != "inprocess":
        scheme = {"http": "http", "websocket": "ws"}[transport]
        usual |= {"url": f"{scheme}://127.0.0.1:{nobody}", "token": TOKEN, "start_timeout": 0.05}

    @_MANY
    @given(keyword=st.sampled_from(_keywords(cls)), value=_VALUES)
    def check(keyword: str, value: Any) -> None:
        if keyword in ("url", "num_envs", "start_timeout") and _is_real(keyword, value):
            return
        said = _said(cls, {**usual, keyword: value})
        assert TOKEN not in said
        assert SECRET not in said or keyword not in _MAY_HOLD_SECRETS

    check()


def _said(cls: type, keywords: dict[str, Any]) -> str:
    """Return the error of making an environment; nothing where it is made."""
    try:
        cls(**keywords).close()
    except OpenEnvGymError as error:
        texts = [value for value in error.fields.values() if isinstance(value, str)]
        return f"{error}{texts}{error.__cause__}"
    return ""


def _is_real(keyword: str, value: Any) -> bool:
    """Return whether a value is fine, but would ask the network, or much of this machine."""
    if keyword == "url":
        first = value[0] if isinstance(value, list | tuple) and value else value
        return isinstance(first, str) and first.startswith(("ws://", "http://", "hf://"))
    real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return real and 1 < value < 1e9


_FLAGS = [
    *("environment", "host", "port", "max-sessions", "idle-timeout", "resume-timeout", "option"),
    *("token", "allow-host", "drain-timeout", "log-format", "backend", "workers", "spare"),
    *("sessions-per-worker", "backend-option", "worker-memory", "worker-max-steps"),
    *("reset-timeout", "step-timeout", "render-timeout", "close-timeout"),
    *("ssl-certfile", "ssl-keyfile", "ssl-ca"),
]
_TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["-1", "0", "nan", "inf", "1e400", "9" * 5000, "x=1", "=", ":", "os:system"]),
    st.sampled_from([f"{SECRET}\n", f"{SECRET} é"]),
)


@settings(_MANY, max_examples=60)
@given(flag=st.sampled_from(_FLAGS), value=_TEXTS)
@example(flag="token", value=f"{SECRET} é")
def test_each_argument_of_serve_with_any_text(
    nobody: int, capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    environment = value if flag == "environment" else "echo"
    arguments = ["serve", f"--port={nobody}"]  # where it cannot listen, if all else is fine
    if flag != "environment":
        arguments.append(f"--{flag}={value}")
    try:
        code = main([*arguments, "--", environment])
    except SystemExit as ended:  # of argparse
        code = int(ended.code or 0)
    assert code in (1, 2)
    said = capsys.readouterr().err
    assert said
    assert SECRET not in said or flag != "token"
    assert "Traceback" not in said
