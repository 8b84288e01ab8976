"""The token of a server: what a header carries, and never shown in an error."""

from __future__ import annotations

import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OptionError
from openenv_gym.server.app import create_app
from openenv_gym.wire.token import sendable_token
from tests.servers import serving


@pytest.mark.parametrize("token", ["s3cret", "s3cret\n", " s3cret\r\n", "~!a-Z_0.9=/+"])
def test_white_space_around_it_is_no_part_of_it(token: str) -> None:
    assert sendable_token(token, "token=") == token.strip()


@pytest.mark.parametrize(
    "token", ["", " ", "\n", "two words", "s3\ncret", "tökén", "s3cret\0", "ä" * 9]
)
def test_one_that_no_client_can_send(token: str) -> None:
    with pytest.raises(OptionError, match="token=") as caught:
        sendable_token(token, "token=")
    if token.strip():
        assert token.strip() not in str(caught.value)
        assert token not in repr(caught.value.fields)
    for transport, scheme in (("websocket", "ws"), ("http", "http")):
        with pytest.raises(OptionError, match="token="):
            OpenEnvGym("echo", transport=transport, url=f"{scheme}://127.0.0.1:1", token=token)
    with pytest.raises(OptionError, match="token="):
        create_app("echo", token=token)


@pytest.mark.parametrize(("transport", "scheme"), [("websocket", "ws"), ("http", "http")])
def test_the_line_break_of_a_file_does_no_harm(transport: str, scheme: str) -> None:
    with serving("echo", token="s3cret\n") as served:
        url = f"{scheme}://127.0.0.1:{served.port}"
        env = OpenEnvGym("echo", transport=transport, url=url, token="s3cret\r\n")
        assert env.reset()[0] == "Echo environment ready!"
        env.close()
