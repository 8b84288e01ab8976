from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
from typing import Any

import gymnasium
import httpx
import numpy as np
import pytest

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.errors import EpisodeError, MissingDependencyError, OpenEnvGymError, OptionError
from openenv_gym.testing import play, same
from openenv_gym_envs.textarena import TextArenaAction, TextArenaEnv
from openenv_gym_envs.textarena import environment as module
from openenv_gym_envs.textarena.environment import TextArenaEnvironment
from openenv_gym_envs.textarena.games import messages, shorten
from openenv_gym_envs.textarena.models import MESSAGE_LENGTH, TEXT_LENGTH
from openenv_gym_envs.textarena.openenv_server import TextArenaReader
from openenv_gym_envs.textarena.words import listed, nouns
from tests.servers import serving

ID = "openenv/TextArena-v0"


def wordle(seed: int = 3, **options: Any) -> TextArenaEnvironment:
    env = TextArenaEnvironment(**options)
    env.seed(seed)
    env.reset()
    return env


def secret(env: TextArenaEnvironment) -> str:
    word: str = env.state.raw_state["game_state"]["secret_word"]
    return word


def test_wordle_won() -> None:
    env = wordle()
    observation = env.step(TextArenaAction(message=f"I say [{secret(env)}]"))
    assert (observation.reward, observation.done, observation.truncated) == (1.0, True, False)
    signals = {
        "wordle.greens": 1.0,
        "wordle.yellows": 0.0,
        "wordle.repetitions": 1.0,
        "wordle.correct": 1.0,
    }
    assert observation.info["reward_signals"] == signals
    assert observation.metadata["reward_signals"] == signals
    assert observation.metadata["reason"]
    assert observation.prompt.startswith("You are Playing Wordle.")
    assert env.state.last_reward == 1.0


def test_wordle_signals() -> None:
    env = wordle()
    word = secret(env)
    turned = word[1:] + word[0]
    env._game.env.env.dictionary = _Anything()
    reported = env.step(TextArenaAction(message=f"[{turned}]")).info["reward_signals"]
    assert reported["wordle.greens"] == sum(map(str.__eq__, word, turned)) / 5
    assert reported["wordle.greens"] + reported["wordle.yellows"] == 1.0
    again = env.step(TextArenaAction(message=f"[{turned}]")).info["reward_signals"]
    assert again["wordle.repetitions"] == 0.0
    assert (again["wordle.greens"], again["wordle.yellows"]) == (0.0, 0.0)


class _Anything:
    def is_english_word(self, word: str) -> bool:
        return True


def test_wordle_lost() -> None:
    env = wordle()
    guesses = [word for word in listed("en-basic") if len(word) == 5 and word != secret(env)][:6]
    seen = [env.step(TextArenaAction(message=f"[{guess}]")) for guess in guesses]
    assert [one.done for one in seen] == [False] * 5 + [True]
    assert seen[-1].reward < 1.0
    assert all(guess in seen[-1].messages[0].content for guess in guesses)


def test_raw_tells_what_is_new() -> None:
    env = wordle(env_id="Wordle-v0-raw")
    observation = env.step(TextArenaAction(message="[crane]"))
    kinds = [(message.sender_id, message.category) for message in observation.messages]
    assert kinds == [(-1, "PLAYER_ACTION"), (-1, "GAME_MESSAGE")]


def test_metadata_of_openenvs_clients_is_not_in_the_info() -> None:
    with serving("textarena") as served:
        env = gymnasium.make(ID, url=served.url("websocket"))
        _, info = env.reset(seed=3)
        *_, stepped = env.step("[crane]")
        env.close()
        with httpx.Client(base_url=served.url("http"), timeout=60) as client:
            reported = client.post("/reset", json={"seed": 3}).json()
            action = {"action": {"message": "[crane]"}}
            further = client.post("/step", json=action).json()
            state = client.get("/state").json()
    assert not {"env_id", "raw_messages"} & (info.keys() | stepped.keys())
    for reply in (reported, further):
        observation = reply["observation"]
        assert observation["metadata"]["env_id"] == "Wordle-v0"
        assert observation["metadata"]["raw_messages"] == observation["messages"]
        # Our clients at a server of OpenEnv's own leave it out.
        read = TextArenaReader().read(observation, None)
        assert not {"env_id", "raw_messages"} & read["metadata"].keys()
    assert set(state["raw_state"]) == {
        "turn",
        "game_state",
        "logs",
        "rewards",
        "done",
        "role_mapping",
        "game_info",
        "step_info",
        "reward_signals",
    }


def test_word_lists() -> None:
    assert len(listed("en")) == 44_601
    assert len(listed("en-basic")) == 2_683
    assert len(nouns()) == 22_983
    assert set(listed("en-basic")) < nouns() < set(listed("en"))
    with pytest.raises(LookupError, match="'en' or 'en-basic'"):
        listed("de")


def test_other_players_move_in_the_step() -> None:
    env = gymnasium.make(ID, env_id="TicTacToe-v0", num_players=2)
    observation, info = env.reset(seed=1)
    assert info["current_player_id"] == 0
    observation, *_, info = env.step("[4]")
    assert info["turn"] == 2
    marks = re.findall(r"Player 1 placed|\[Player 1\]", observation["messages"][0]["content"])
    assert marks
    env.close()


def test_agent_sits_where_it_is_told() -> None:
    env = gymnasium.make(ID, env_id="TicTacToe-v0", num_players=2, agent_player=1)
    _, info = env.reset(seed=1)
    assert info["current_player_id"] == 1
    assert info["turn"] == 1  # player 0 moved in the reset
    env.close()


def test_scripted_players() -> None:
    env = gymnasium.make(ID, env_id="TicTacToe-v0", num_players=2, opponent=["[0]", "[1]", "[2]"])
    env.reset(seed=1)
    for move in ("[8]", "[4]", "[7]"):
        *_, reward, terminated, truncated, info = env.step(move)
    assert (reward, terminated, truncated) == (-1.0, True, False)
    assert "Player 1" in info["reason"]
    env.close()


def test_agent_on_all_sides() -> None:
    env = gymnasium.make(ID, env_id="TicTacToe-v0", num_players=2, opponent="self")
    assert env.metadata["players"] == 2
    _, info = env.reset(seed=1)
    movers = []
    for move in ("[0]", "[8]", "[1]", "[4]", "[2]"):
        movers.append(info["current_player_id"])
        *_, reward, terminated, _, info = env.step(move)
    assert movers == [0, 1, 0, 1, 0]
    assert (reward, terminated, info["rewards"]) == (1.0, True, [1.0, -1.0])
    env.close()


def test_episode_is_cut_off_where_the_others_play_on_without_the_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Player 1 is never shown a move of its own in this game, and may be wrong for ever."""
    monkeypatch.setattr(module, "MOST_TURNS", 3)
    env = gymnasium.make(ID, env_id="SantoriniBaseFixed-v0", num_players=2)
    observation, _ = env.reset(seed=3)
    move = re.findall(r"\[N1\w{6}\]", observation["messages"][0]["content"])[-1]
    *_, terminated, truncated, info = env.step(move)
    assert (terminated, truncated) == (False, True)
    assert "3 turns without the agent" in info["reason"]
    assert info["current_player_id"] == 0
    env.close()


def test_text_that_is_too_long_is_cut_to_its_end() -> None:
    reported = messages([(-1, "a" * TEXT_LENGTH, "MESSAGE"), (-1, "end", "MESSAGE"), (0, "b", "x")])
    assert shorten(reported) == 3
    assert [len(message.content) for message in reported] == [TEXT_LENGTH, 1]
    assert reported[0].content.endswith("aend")
    assert shorten(reported) == 0


def test_a_conversation_that_grows_stays_in_the_space() -> None:
    env = gymnasium.make(
        ID,
        env_id="IteratedPrisonersDilemma-v0",
        env_kwargs={"num_rounds": 40},
        num_players=2,
        opponent=["[cooperate]"],
    )
    env.reset(seed=1)
    for _ in range(78):
        observation, *_, terminated, truncated, info = env.step("[defect]" + "x" * 4088)
        assert env.observation_space.contains(observation)
    assert (terminated, truncated) == (False, False)
    assert len(observation["messages"][0]["content"]) == TEXT_LENGTH
    assert info["cut"] > 0
    assert "Prisoner's Dilemma" in observation["prompt"]
    env.close()


def test_message_that_is_too_long_is_refused() -> None:
    env = gymnasium.make(ID)
    env.reset(seed=1)
    with pytest.raises(OpenEnvGymError, match="not in the action space"):
        env.unwrapped.step("x" * (MESSAGE_LENGTH + 1))
    env.close()


def test_two_games_on_two_threads_are_apart() -> None:
    def trajectory(env_id: str, into: list[Any]) -> None:
        env = gymnasium.make(ID, env_id=env_id)
        into.extend(play(env, seed=5, steps=30, actions=("[up]",) * 30))
        env.close()

    alone: list[Any] = []
    trajectory("Sokoban-v0", alone)
    together: list[list[Any]] = [[], []]
    threads = [threading.Thread(target=trajectory, args=("Sokoban-v0", into)) for into in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(same(list(map(tuple, alone)), list(map(tuple, one))) for one in together)


def test_textarena_itself_still_draws_from_the_process() -> None:
    """Who uses it beside ours has what it is without ours."""
    import textarena

    gymnasium.make("openenv/TextArena.GuessTheNumber-v0").close()
    numbers = []
    for _ in range(2):
        random.seed(4)
        game = textarena.make("GuessTheNumber-v0")
        game.reset(num_players=1)
        numbers.append(game.state.game_state["game_number"])
    random.seed(5)
    game.reset(num_players=1)
    assert numbers[0] == numbers[1] != game.state.game_state["game_number"]


IMPORTED_BEFORE = """
import random
import nltk
nltk.download = lambda *arguments, **keywords: False
import textarena
import textarena.envs.GuessTheNumber.env
import textarena.envs.Wordle.env
import gymnasium, openenv_gym

def number():
    random.seed(1)
    game.reset(num_players=1)
    return game.state.game_state["game_number"]

game = textarena.make("GuessTheNumber-v0")
before = number()
env = gymnasium.make("openenv/TextArena.Wordle-v0")
state = random.getstate()
env.reset(seed=1)
env.step("[crane]")
assert random.getstate() == state
assert number() == before
print(env.unwrapped.state()["raw_state"]["game_state"]["secret_word"])
"""


def test_games_that_were_imported_before() -> None:
    """By the user: theirs go on as they did, ours are as ever."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED_BEFORE],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == secret(wordle(1))


def test_the_package_itself_is_quiet() -> None:
    """A client needs its models, and not TextArena."""
    code = "import sys, openenv_gym_envs.textarena; assert 'textarena' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=250)


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"env_id": "Wordl-v0"}, "Did you mean 'Wordle-v0'"),
        ({"env_id": "TicTacToe-v0"}, "has to be 2, received 1"),
        ({"agent_player": 1}, "agent_player=1 is not a player"),
        ({"num_players": 16}, "less than or equal to 15"),
        ({"env_id": "QuantumTicTacToe-v0"}, "needs 2 players"),
        ({"env_kwargs": {"no": 1}}, "does not take env_kwargs"),
        ({"opponent": []}, "opponent"),
    ],
)
def test_wrong_options(options: dict[str, Any], reported: str) -> None:
    with pytest.raises(OptionError, match=reported):
        gymnasium.make(ID, **options)


def test_missing_package_is_named() -> None:
    with pytest.raises(MissingDependencyError, match="the package gym") as caught:
        gymnasium.make(ID, env_id="BabyAiText-v0")
    assert caught.value.fields["package"] == "gym"


def test_env_kwargs() -> None:
    env = TextArenaEnvironment("Wordle-v0", env_kwargs={"word_length": 4, "num_guesses": 2})
    env.seed(0)
    assert "4-letter" in env.reset().prompt


def test_games_of_language_models_cannot_be_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "none that works")
    env = gymnasium.make(ID, env_id="TwentyQuestions-v0")
    env.reset()
    with pytest.raises(EpisodeError, match="allow_unseeded=True"):
        env.reset(seed=1)
    env.close()
    env = gymnasium.make(ID, env_id="TwentyQuestions-v0", allow_unseeded=True)
    env.reset(seed=1)
    env.close()


def test_render() -> None:
    env = gymnasium.make(ID, render_mode="ansi")
    observation, _ = env.reset(seed=1)
    assert env.render() == observation["messages"][0]["content"] + "\n"
    env.close()


def test_vector() -> None:
    envs = gymnasium.make_vec(ID, num_envs=2)
    observations, _ = envs.reset(seed=[1, 1])
    assert observations["prompt"][0] == observations["prompt"][1]
    _, rewards, *_, infos = envs.step(("[crane]", "[house]"))
    assert rewards.dtype == np.float64
    assert len(infos["reward_signals"] if "reward_signals" in infos else infos["info"]) > 0
    envs.close()


def test_typed_client() -> None:
    with TextArenaEnv(env_id="GuessTheNumber-v0") as env:
        first = env.reset(seed=1)
        assert "number" in first.observation.prompt
        result = env.step(TextArenaAction(message="[3]"))
        assert result.observation.messages[0].sender_id == -1
        assert env.state().env_id == "GuessTheNumber-v0"
