"""What a player of a game with hidden information is shown: what its seat sees, and no more."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyspiel
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.pettingzoo import aec_env
from openenv_gym.server.web.routes import png
from openenv_gym.trl import environment_factory
from openenv_gym_envs.openspiel import OpenSpielAction
from openenv_gym_envs.openspiel.drawing import draw
from openenv_gym_envs.openspiel.environment import OpenSpielEnvironment
from tests.envs.test_openspiel_games import (
    EVERY,
    FILES,
    UNPLAYABLE,
    WITH_PARAMETERS,
    options_of,
    replayed,
)
from tests.servers import serving

_PERFECT = pyspiel.GameType.Information.PERFECT_INFORMATION

OPEN_TO_ALL = {"solitaire", "deep_sea", "coop_box_pushing", "repeated_leduc_poker"}
"""Games whose own view of a player may be the whole state in the midst of the game."""


def load(game: str) -> pyspiel.Game:
    return pyspiel.load_game(WITH_PARAMETERS.get(game, game))


def hides(name: str) -> bool:
    if name in UNPLAYABLE or name in FILES:
        return False
    return bool(load(name).get_type().information != _PERFECT)


HIDDEN = [name for name in EVERY if hides(name)]


def seen_by(state: pyspiel.State, seat: int) -> str:
    kind = state.get_game().get_type()
    if kind.provides_observation_string:
        return str(state.observation_string(seat))
    return str(state.information_state_string(seat))


def now(env: OpenEnvGym, game: pyspiel.Game) -> tuple[pyspiel.State, int]:
    state = env.state()
    return replayed(game, state["history"]), state["agent_player"]


@pytest.mark.parametrize("name", HIDDEN)
def test_a_text_shows_what_the_seat_sees(name: str, tmp_path: Path) -> None:
    env: Any = OpenSpielEnvironment(**options_of(name, tmp_path))
    env.render_mode = "ansi"
    env.seed(3)
    observation, differs = env.reset(seed=3), False
    for _ in range(2 if name.startswith("bridge") else 10):
        state, seat = env._match.state, env.state.agent_player
        text = env.render()
        assert text == f"{seen_by(state, seat)}\n"
        differs |= text.strip() != str(state).strip()
        if not observation.legal_actions:  # it is over
            break
        chosen = int(env.np_random.choice(observation.legal_actions))
        observation = env.step(OpenSpielAction(action_id=chosen))
    assert differs or name in OPEN_TO_ALL, "the whole state"


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker", "liars_dice", "tiny_hanabi"])
def test_what_a_seat_cannot_know_changes_no_text(name: str) -> None:
    env: Any = OpenSpielEnvironment(name, opponent="first", observation="information_state")
    env.render_mode = "ansi"
    shown: dict[bytes, set[str]] = {}
    deals: dict[bytes, set[tuple[int, ...]]] = {}
    for seed in range(60):
        env.seed(seed)
        known = env.reset().info_state.tobytes()
        shown.setdefault(known, set()).add(env.render())
        deals.setdefault(known, set()).add(tuple(env.state.history))
    assert max(map(len, deals.values())) > 1
    assert {len(texts) for texts in shown.values()} == {1}


@pytest.mark.parametrize("name", ["blackjack", "hearts", "kuhn_poker", "leduc_poker", "liars_dice"])
def test_the_model_of_trl_reads_its_own_cards(name: str) -> None:
    factory = environment_factory(f"openenv/OpenSpiel.{name}-v0")
    environment: Any = factory()
    game = load(name)
    told = environment.reset(seed=3)
    for _ in range(8):
        state, seat = now(environment._client.env, game)
        assert told.startswith(seen_by(state, seat).rstrip())
        assert environment.done or str(state) not in told
        assert "opponent_last_action" not in told
        if environment.done:
            break
        told = environment.open_spiel(environment.result.observation.legal_actions[0])
    last = game.num_distinct_actions() - 1
    assert f"From 0 to {last}." in str(factory.open_spiel.__doc__)  # type: ignore[attr-defined]


def test_each_agent_of_pettingzoo_is_drawn_its_own_view() -> None:
    env: Any = aec_env("openenv/OpenSpiel.kuhn_poker-v0", opponent="self", render_mode="ansi")
    env.reset(seed=1)
    game = load("kuhn_poker")
    for seat, agent in enumerate(("player_0", "player_1")):
        assert env.agent_selection == agent
        state, _ = now(env.unwrapped.env, game)
        assert env.render() == f"{state.observation_string(seat)}\n"
        env.step(0)
    env.close()


def test_a_server_shows_no_more() -> None:
    game = load("leduc_poker")
    options = {"game": "leduc_poker"}
    with serving("openspiel", options=options, web=True) as served:
        url = served.url("websocket")
        env = OpenEnvGym(transport="websocket", url=url, render_mode="ansi")
        env.reset(seed=3)
        state, seat = now(env, game)
        assert env.render() == f"{state.observation_string(seat)}\n"
        env.close()
        with httpx.Client(base_url=served.url("http"), timeout=60.0) as client:
            reply = client.post("/reset", json={"seed": 3})
            session = {"X-Session-ID": reply.headers["X-Session-ID"]}
            picture = client.get("/web/frame", headers=session)
            assert picture.content == png(draw(state.observation_string(seat)))
            fields = client.get("/schema").json()["observation"]["properties"]
            assert [name for name, part in fields.items() if part.get("hidden")] == [
                "opponent_last_action"
            ]


def test_a_client_of_mcp_is_told_no_more() -> None:
    with serving("openspiel", options={"game": "phantom_ttt", "opponent": "first"}) as served:
        observation = asyncio.run(_stepped_by_mcp(f"{served.url('http')}/mcp"))
    assert "info_state" in observation
    assert "opponent_last_action" not in observation


async def _stepped_by_mcp(url: str) -> dict[str, Any]:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with (
        streamable_http_client(url) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        await session.call_tool("reset", {"seed": 1})
        result: Any = await session.call_tool("step", {"action_id": 4})
        found: dict[str, Any] = json.loads(result.content[0].text)["observation"]
        return found


def test_the_model_of_trl_reads_no_other_hand_of_textarena() -> None:
    environment: Any = environment_factory("textarena", env_id="KuhnPoker-v0", num_players=2)()
    hands = set()
    for seed in range(6):
        told = environment.reset(seed=seed)
        hand = environment._client.env.state()["raw_state"]["game_state"]["player_cards"]
        hands.add((hand["0"], hand["1"]))
        assert set(re.findall(r"card is: '(.)'", told)) == {"JQK"[hand["0"]]}
    assert len(hands) > 1


@pytest.mark.parametrize(
    ("id", "options", "said"),
    [
        ("atari", {"game": "pong"}, "From 0 to 5."),
        ("openenv/OpenSpiel.tic_tac_toe-v0", {}, "From 0 to 8."),
        ("openenv/Connect4-v0", {}, "From 0 to 6."),
    ],
)
def test_the_ranges_of_a_tool_are_those_of_the_game(
    id: str, options: dict[str, Any], said: str
) -> None:
    factory = environment_factory(id, **options)
    (tool,) = factory._tools
    assert said in tool.doc


def test_perfect_information_is_drawn_as_it_was() -> None:
    env = OpenEnvGym("openspiel", game="connect_four", render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == f"{pyspiel.load_game('connect_four').new_initial_state()}\n"
    assert np.asarray(env.action_masks()).all()
    env.close()
