"""Options that clients of a server may set: bounded, documented, and enough for every id."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym import registry
from openenv_gym.errors import OpenEnvGymError, OptionError
from openenv_gym.options import check_allowed
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Close, Open
from tests.client_options import readme, section

NAMES = sorted(registry.ENVIRONMENTS)


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_lists_what_clients_may_set(name: str) -> None:
    """If it does not: python -m tests.client_options."""
    entry = registry.ENVIRONMENTS[name]
    assert section(entry) in readme(entry).read_text("utf-8")


SITES = ("browsergym.webarena", "browsergym.visualwebarena", "browsergym.workarena")


@pytest.mark.parametrize("name", NAMES)
def test_a_client_may_name_each_id_but_those_that_play_on_sites_of_the_owner(name: str) -> None:
    entry = registry.ENVIRONMENTS[name]
    make = registry.load(entry)
    for id, options in entry.ids().items():
        if options.get("benchmark", "miniwob") == "miniwob":
            assert set(check_allowed(make, options, {}, name)) <= set(options), id
        else:
            with pytest.raises(OptionError, match="owner of the server"):
                check_allowed(make, options, {}, name)


WANTED: list[tuple[str, dict[str, Any]]] = [
    ("atari", {"game": "x" * 1000}),
    ("atari", {"frameskip": 10**9}),
    ("atari", {"max_num_frames": None}),
    ("browsergym", {"benchmark": "webarena"}),
    ("browsergym", {"executable_path": "/bin/sh"}),
    ("browsergym", {"sandbox": False}),
    ("browsergym", {"headless": False}),
    ("browsergym", {"slow_mo": 1.0}),
    ("browsergym", {"viewport_width": 8192}),
    ("chat", {"tokenizer": "/etc/passwd"}),
    ("chat", {"chat_template": "{{ 1 }}"}),
    ("chat", {"reply": "os:system"}),
    ("chat", {"reward_fn": "os:system"}),
    ("chat", {"prompts": ["x"] * 1000}),
    ("chess", {"stockfish_path": "/bin/sh"}),
    ("chess", {"stockfish_depth": 100}),
    ("chess", {"stockfish_nodes": 10**12}),
    ("chess", {"max_plies": None}),
    ("coding", {"executor": "smolagents"}),
    ("coding", {"timeout_s": 3600.0}),
    ("coding", {"memory_mb": 10**6}),
    ("coding", {"cpu_s": 10**6}),
    ("coding", {"packages": True}),
    ("connect4", {"depth": 20}),
    ("dipg", {"dataset": "/etc/passwd"}),
    ("finrl", {"data": "/etc/passwd"}),
    ("git", {"gitea_url": "http://127.0.0.1", "gitea_token": "x"}),
    ("git", {"timeout_s": 600.0}),
    ("gymnasium", {"env_id": "openenv/Echo-v0"}),
    ("gymnasium", {"env_id": "os:x/Y-v0"}),
    ("gymnasium", {"env_kwargs": {"environment": "subprocess:Popen"}}),
    ("openspiel", {"game": "efg_game(filename=/etc/passwd)"}),
    ("openspiel", {"game": "go(board_size=1000)"}),
    ("openspiel", {"game_files": {"filename": "/etc/passwd"}}),
    ("openspiel", {"simulations": 10**6}),
    ("sumo", {"net_file": "/etc/passwd", "route_file": "/etc/passwd"}),
    ("sumo", {"delta_time": 10**6}),
    ("textarena", {"env_id": "TwentyQuestions-v0"}),
    ("textarena", {"env_kwargs": {"path": "/etc/passwd"}}),
]


@pytest.mark.parametrize(("name", "options"), WANTED)
def test_what_runs_code_reads_files_or_protects_is_refused(
    name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(OptionError, match=r"owner of the server|client of this server"):
        Session(name, owner=False).handle(Open(None, options, id=1))


def test_what_the_owner_has_set_is_used_by_clients() -> None:
    session = Session("gymnasium", options={"env_id": "CartPole-v1"}, owner=False)
    assert session.handle(Open("gymnasium", {}, id=1))
    session.handle(Close(id=2))


@pytest.mark.parametrize(
    "name",
    ["/etc", "/etc/passwd", "./nowhere", "~/x", "os:system", "nowhere:At", "chess"],
)
def test_a_name_that_a_client_gives_is_not_looked_up(name: str) -> None:
    with pytest.raises(OpenEnvGymError) as caught:
        Session("connect4", owner=False).handle(Open(name, {}, id=1))
    assert str(caught.value).replace(repr(name), "NAME") == (
        "This server has the environment 'connect4', not NAME. Connect to another server."
    )


@pytest.mark.parametrize(
    "name",
    [
        "connect4",
        "openenv/Connect4-v0",
        "openenv_gym_envs.connect4.environment:Connect4Environment",
        "connect4[os:system,os:system]",
        None,
    ],
)
def test_whatever_a_client_calls_it_gets_what_is_served(name: str | None) -> None:
    session = Session("connect4", owner=False)
    assert session.handle(Open(name, {}, id=1)).environment == "connect4"  # type: ignore[attr-defined]
    session.close()


@pytest.mark.parametrize("target", ["subprocess:Popen", "os:system", "builtins:open"])
def test_what_is_not_an_environment_is_not_called(target: str) -> None:
    with pytest.raises(OpenEnvGymError, match="is not an environment"):
        Session(target).handle(Open(target, {"args": ["true"]}, id=1))
