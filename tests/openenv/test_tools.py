"""Environments whose actions call tools: at OpenEnv's own server, in our hands, and at ours."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import httpx
import pytest

from openenv_gym.client import CallToolAction, ToolClient
from openenv_gym.errors import (
    ActionError,
    EnvironmentFailedError,
    OpenEnvServerWarning,
    OptionError,
    SpaceError,
)
from openenv_gym.trl import environment_factory
from tests.openenv.calls import call, episode
from tests.openenv.ours import REMOTE, remote
from tests.openenv.peers import PeerPython, PeerServer, peer_server, requires_peers
from tests.openenv.test_adapted import ADAPTED, CLIENTS, ours

pytestmark = [requires_peers, pytest.mark.timeout(300)]

TOOLBOX = "tests.openenv.toolbox"


@pytest.fixture(scope="module")
def server() -> Iterator[PeerServer]:
    with peer_server(f"{TOOLBOX}:everything") as server:
        yield server


def check_same(outcomes: list[Any], reported: list[Any]) -> None:
    """Checks what our environment gave against what OpenEnv's client got."""
    for (observation, info, reward, terminated, truncated), wanted in zip(
        outcomes, reported, strict=True
    ):
        assert (reward, terminated, truncated) == (wanted["reward"] or 0.0, wanted["done"], False)
        fields = wanted["observation"]
        assert observation["tool_name"] == fields.get("tool_name", "")
        if fields.get("error"):
            assert observation["error"].endswith(fields["error"]["message"])
        elif "tool_name" in fields:
            data = fields["result"]["data"]
            assert info["result"] == json.dumps(data, separators=(",", ":"), ensure_ascii=False)
            text = data if isinstance(data, str) else info["result"]
            assert (observation["result"], observation["error"]) == (text, "")
        else:
            assert info == wanted["metadata"]
            assert json.loads(observation["result"]) == wanted["metadata"]


def test_tools_with_bounded_arguments(server: PeerServer, peer: PeerPython) -> None:
    url = f"{server.url}/safe"
    with remote(f"{server.ws_url}/safe") as env:
        assert str(env.action_space) == (
            "OneOf(Dict('dial': Discrete(3), 'by': Discrete(3, start=-1)), "
            "Dict('at': Discrete(2), 'closely': Discrete(2)), Dict())"
        )
        assert list(env.observation_space) == ["tool_name", "result", "error"]
        assert env.unwrapped.metadata["actions"] == "oneof"
        assert env.unwrapped.space_sources["action.turn.dial"] == "schema"
        for seed in range(3):
            outcomes, actions = episode(env, seed, 200)
            assert outcomes[-1][3]
            reported = peer.call(f"{CLIENTS}:play", url=url, actions=actions, reset={"seed": seed})
            check_same(outcomes, reported["results"])
        assert env.unwrapped.state()["step_count"] == len(actions)
    with remote(f"{server.ws_url}/safe", actions="json") as env:
        assert str(env.action_space["tool"]) == "Discrete(3)"
        env.reset()
        observation, *_ = env.step({"tool": 0, "arguments": '{"dial": 7}'})
        assert (observation["result"], "7" in observation["error"]) == ("", True)


def test_one_tool_is_its_arguments(server: PeerServer) -> None:
    with remote(f"{server.ws_url}/lever") as env:
        assert str(env.action_space) == "Dict('arm': Discrete(4))"
        env.reset(seed=1)
        first = env.step({"arm": 2})
        env.reset(seed=1)
        assert env.step({"arm": 2}) == first
    with remote(f"{server.ws_url}/lever", actions="oneof") as env:
        assert str(env.action_space) == "OneOf(Dict('arm': Discrete(4)))"


DESK = [call("echo", message="Hé", times=2), call("fail", reason="why not"), call("nothing")]
DESK += [call("nope"), call("echo"), call("echo", message="x", of=1)]


@pytest.mark.parametrize("name", ["desk", "scripted"])
def test_tools_with_free_arguments(name: str, server: PeerServer, peer: PeerPython) -> None:
    with remote(f"{server.ws_url}/{name}") as env:
        assert str(env.action_space) == (
            "Dict('tool': Discrete(3), 'arguments': JsonText(object, max_length=65536))"
        )
        names = [tool["name"] for tool in env.unwrapped.metadata["tools"]]
        assert names == ["echo", "fail", "nothing"]
        outcomes = [(*env.reset(seed=0), 0.0, False, False)]
        played = [one for one in DESK if one["tool_name"] in names]
        for one in played:
            text = json.dumps(one["arguments"])
            value = {"tool": names.index(one["tool_name"]), "arguments": text}
            observation, reward, terminated, truncated, info = env.step(value)
            outcomes.append((observation, info, reward, terminated, truncated))
        # What returns nothing has no result at all.
        assert outcomes[3][0] == {"tool_name": "nothing", "result": "", "error": ""}
        outcomes[3] = (outcomes[3][0], {"result": "null"}, *outcomes[3][2:])
        url = f"{server.url}/{name}"
        reported = peer.call(f"{CLIENTS}:play", url=url, actions=played, reset={"seed": 0})[
            "results"
        ]
        reported[3]["observation"]["result"]["data"] = ""
        check_same(outcomes[:3] + outcomes[4:], reported[:3] + reported[4:])
        env.action_space.seed(0)
        for _ in range(20):
            assert env.observation_space.contains(env.step(env.action_space.sample())[0])


def test_tools_that_are_there_after_a_reset_only(server: PeerServer) -> None:
    with remote(f"{server.ws_url}/forge") as env:
        assert str(env.action_space["tool"]) == "Utf8(256, min_length=0)"
        env.reset()
        observation, reward, terminated, *_ = env.step({"tool": "hit", "arguments": '{"x": 1}'})
        assert (observation["result"], reward, terminated) == ('{"hit":{"x":1}}', 2, True)


def test_a_form_for_actions_that_call_no_tools() -> None:
    with pytest.raises(OptionError, match="leave it out"):
        gymnasium.make("openenv/Connect4-v0", actions="json")


# In our hands


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_over_our_transports(transport: str, server: PeerServer, peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Safe-v0", environment=f"{TOOLBOX}:Safe")
    played = peer.call(
        f"{ADAPTED}:play_tools", id="peer/Safe-v0", seeds=[0, 1], options={"transport": transport}
    )
    with remote(f"{server.ws_url}/safe") as env:
        for seed, one in enumerate(played):
            outcomes, actions = episode(env, seed, 200)
            assert one["actions"] == actions
            assert one["outcomes"] == json.loads(json.dumps(outcomes))


def test_lanes(peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Lanes-v1", environment=f"{TOOLBOX}:Lever")
    paid = peer.call(f"{ADAPTED}:play_lanes", id="peer/Lanes-v1", lanes=2, steps=3)
    assert len(paid) == 3


# At our server


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ours(f"{TOOLBOX}:Desk", log=tmp_path_factory.mktemp("log") / "log") as url:
        yield url


def test_the_openenv_client_of_steps(url: str, server: PeerServer, peer: PeerPython) -> None:
    actions = [{"type": "list_tools"}, *DESK]
    begun = {"seed": 4, "episode_id": "ep"}
    mine, theirs = (
        peer.call(f"{CLIENTS}:play", url=one, actions=actions, reset=begun)
        for one in (url, f"{server.url}/desk")
    )
    assert mine == theirs


def test_the_openenv_client_of_tools(url: str, server: PeerServer, peer: PeerPython) -> None:
    mine, theirs = (
        peer.call(f"{CLIENTS}:call_tool", url=one, name="echo")
        for one in (url, f"{server.url}/desk")
    )
    assert mine == theirs
    assert mine["reported"] == "Hello!"


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "tools/list"},
        {"method": "tools/call", "params": {"name": "echo", "arguments": {"message": "Hi"}}},
        {"method": "tools/call", "params": {"name": "nothing"}},
        {"method": "tools/call", "params": {"name": "fail", "arguments": {"reason": "no"}}},
        {"method": "tools/call", "params": {"name": "nope", "arguments": {}}},
    ],
)
def test_the_methods_of_mcp(url: str, server: PeerServer, request_: dict[str, Any]) -> None:
    mine, theirs = (
        httpx.post(f"{one}/mcp", json={"jsonrpc": "2.0", "id": 1, **request_}, timeout=60.0).json()
        for one in (url, f"{server.url}/desk")
    )
    assert mine == theirs


def test_schemas(url: str, server: PeerServer) -> None:
    mine, theirs = (httpx.get(f"{one}/schema").json() for one in (url, f"{server.url}/desk"))
    for side in ("action", "observation", "reset_observation"):
        assert mine[side] == theirs[side]


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_our_client_at_our_server(scheme: str, url: str) -> None:
    env = gymnasium.make("openenv/Remote-v0", url=url.replace("http", scheme))
    try:
        assert env.reset(seed=1)[0]["result"] == '{"task":""}'
        observation, *_ = env.step({"tool": 0, "arguments": '{"message": "Hi"}'})
        assert observation == {"tool_name": "echo", "result": "Hi", "error": ""}
    finally:
        env.close()


# Clients


def test_the_typed_client(server: PeerServer, url: str) -> None:
    for at in (f"{server.url}/desk", url):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OpenEnvServerWarning)
            client = ToolClient(base_url=at)
        with client:
            assert client.reset(seed=1).observation.result == '{"task":""}'
            tools = {tool.name: tool for tool in client.list_tools()}
            assert list(tools) == ["echo", "fail", "nothing"]
            assert tools["echo"].description == "Say it again."
            assert list(tools["echo"].input_schema["properties"]) == ["message", "times"]
            assert client.call_tool("echo", message="Hé", times=2) == "HéHé"
            assert client.call_tool("nothing") is None
            result = client.step(CallToolAction(tool_name="echo", arguments={"message": "5"}))
            assert (result.observation.result, result.reward, result.done) == ("5", 0.0, False)
            with pytest.raises(EnvironmentFailedError, match=r"'fail' failed: .*why not"):
                client.call_tool("fail", reason="why not")
            with pytest.raises(ActionError, match=r"'ecko' does not exist\. Did you mean 'echo'"):
                client.call_tool("ecko")
            assert client.env.space_sources.keys() <= {"action.tool", "action.arguments"} | {
                f"observation.{name}" for name in ("tool_name", "result", "error")
            }
    with pytest.raises(SpaceError, match="whose actions call tools"):
        type("EchoTools", (ToolClient,), {"environment": "echo"})()


def test_a_method_for_each_tool(server: PeerServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OpenEnvServerWarning)
        made = environment_factory(REMOTE, url=f"{server.ws_url}/safe")
        turn = inspect.signature(made.turn)
        assert str(turn) == "(self, dial: int, by: int = 1) -> str"
        assert made.turn.__doc__ == (
            "Turn a dial.\n\nArgs:\n    dial: Dial. From 0 to 2.\n    by: By. From -1 to 1.\n\n"
            "Returns:\n    What is seen then."
        )
        assert "Literal['dials', 'door']" in str(inspect.signature(made.listen))
        player = made()
        assert player.reset(seed=1) == '{"task":"open the safe"}'
        assert player.turn(dial=0) == "[1, 0, 0]"
        assert player.listen(at="door") == "nothing"
        with pytest.raises(ActionError, match="missing a required argument: 'dial'"):
            player.turn()
        with pytest.raises(ActionError, match="not an integer of 0 to 2"):
            player.turn(dial=3)
        while not player.done:
            said = player.pull()
        assert said.endswith("The episode is over.")
        assert player.reward < 0
        player._close()


def test_the_client_of_an_id(peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Desk-v0", environment=f"{TOOLBOX}:Desk")
    reported = peer.call(
        f"{ADAPTED}:call_tool", id="peer/Desk-v0", name="echo", arguments={"message": "Hi"}
    )
    assert reported == {"client": "DeskEnv", "tools": ["echo", "fail", "nothing"], "result": "Hi"}


@pytest.mark.parametrize("keyword", ["result", "action.arguments", "nothing"])
@pytest.mark.filterwarnings("ignore::openenv_gym.errors.OpenEnvServerWarning")
def test_spaces_of_tools_are_not_given(keyword: str, server: PeerServer, url: str) -> None:
    for at in (f"{server.ws_url}/desk", url):
        with pytest.raises(OptionError, match=f"spaces= .*{keyword}"):
            gymnasium.make(REMOTE, url=at, spaces={keyword: None})


def test_a_warning_that_can_be_followed(server: PeerServer) -> None:
    with pytest.warns(OpenEnvServerWarning, match='metadata."tools"') as seen:
        env = gymnasium.make(REMOTE, url=f"{server.ws_url}/desk")
    assert not any("spaces=" in str(one.message) for one in seen)
    with env:
        assert "'echo'" in str(env.unwrapped.metadata["tools"])
        env.reset(seed=0)
        with pytest.raises(ActionError, match="its 'tool' is 'echo', which is not in"):
            env.step({"tool": "echo", "arguments": "{}"})


@pytest.mark.filterwarnings("ignore::openenv_gym.errors.OpenEnvServerWarning")
def test_misspelt_keywords_are_named(server: PeerServer) -> None:
    with pytest.raises(OptionError, match="actions= takes 'oneof' or 'json'"):
        gymnasium.make(REMOTE, url=f"{server.ws_url}/desk", actions="one")
    with pytest.raises(OptionError, match=r"\['ulr'\] would go to the environment"):
        gymnasium.make(REMOTE, ulr=f"{server.ws_url}/desk")
