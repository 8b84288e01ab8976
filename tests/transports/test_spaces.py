"""Spaces of Hugging Face by ``hf://owner/name``, found by a local stand-in for the hub."""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium
import pytest

from openenv_gym.client import GenericClient
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import AuthenticationError, ConnectError, OptionError
from openenv_gym_envs.echo import EchoAction, EchoEnv
from tests.hub import TOKEN, Hub, Space, hub
from tests.servers import Served, serving

URL = "hf://team/echo_env"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server behind the hub's door, which lets who has its token in."""
    with serving("echo", token=TOKEN) as server:
        yield server


@pytest.mark.parametrize("transport", [None, "http"])
def test_a_private_space(
    transport: str | None, there: Hub, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    there.spaces["team/echo_env"] = Space(private=True, host=served.url("http"))
    env = gymnasium.make("openenv/Remote-v0", url=URL, transport=transport)
    env.reset(seed=1)
    assert env.step("Hi!")[0] == "Hi!"
    env.close()
    assert set(there.asked) == {("GET", "/api/spaces/team/echo_env", TOKEN)}


async def _play_asynchronously() -> str:
    async with EchoEnv.aio(base_url=URL) as env:
        await env.reset()
        observed: str = (await env.step(EchoAction(message="Hi!"))).observation.echoed_message
        return observed


def test_clients_take_it_too(there: Hub, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    there.spaces["team/echo_env"] = Space(private=True, host=served.url("http"))
    with GenericClient(URL) as client:
        client.reset()
        assert client.step({"message": "Hi!"}).observation["echoed_message"] == "Hi!"
    assert asyncio.run(_play_asynchronously()) == "Hi!"


def test_a_public_space_is_not_sent_the_token(
    there: Hub, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made it could read it: here it lacks, and the server says so."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    there.spaces["team/echo_env"] = Space(host=served.url("http"))
    with pytest.raises(AuthenticationError, match="is missing"):
        OpenEnvGym(None, url=URL)
    env = OpenEnvGym(None, url=URL, token=TOKEN)  # its own
    env.close()


def test_what_the_hub_does_not_show(there: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    there.spaces["team/echo_env"] = Space(private=True, host="http://127.0.0.1:9")
    with pytest.raises(AuthenticationError, match="HF_TOKEN is not set"):
        OpenEnvGym(None, url=URL)
    monkeypatch.setenv("HF_TOKEN", "hf_of-another")
    with pytest.raises(AuthenticationError, match="not of one who may see it") as caught:
        OpenEnvGym(None, url=URL)
    assert "hf_of-another" not in f"{caught.value} {caught.value.fields}"


def test_a_space_that_is_not_running(there: Hub) -> None:
    there.spaces["team/echo_env"] = Space(host="http://127.0.0.1:9", stage="BUILD_ERROR")
    with pytest.raises(ConnectError, match=r"is BUILD_ERROR.*/spaces/team/echo_env"):
        OpenEnvGym(None, url=URL)


def test_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectError, match="HF_ENDPOINT"):
        OpenEnvGym(None, url=URL)


@pytest.mark.parametrize("url", ["hf://team", "hf://team/a/b", "hf://team/a?x=1", "hf://a b/c"])
def test_what_names_no_space(url: str) -> None:
    with pytest.raises(OptionError, match="hf://owner/name"):
        OpenEnvGym(None, url=url)
