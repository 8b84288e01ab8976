"""The TextArena environment: TextArena's games with OpenEnv's fields, and other players."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from openenv_gym.environment import Environment
from openenv_gym.errors import EpisodeError, OptionError, SnapshotError
from openenv_gym.models import ClientOption
from openenv_gym_envs.replaying import Replay
from openenv_gym_envs.textarena import games
from openenv_gym_envs.textarena.models import (
    MESSAGE_LENGTH,
    MOST_PLAYERS,
    TextArenaAction,
    TextArenaMessage,
    TextArenaObservation,
    TextArenaState,
)
from openenv_gym_envs.textarena.openenv_server import TextArenaReader
from openenv_gym_envs.textarena.others import Player, RandomPlayer, ScriptedPlayer
from openenv_gym_envs.textarena.standins import playing
from openenv_gym_envs.textarena.wordle import WordleSignals

MOST_TURNS = 100
"""Turns that the other players may take between two of the agent's."""

_SPLITS = {"train": range(200), "test": range(1000, 1050)}
"""Numbers that the games of tasks are begun from."""

_KEPT = ("turn", "game_state", "logs", "rewards", "done", "role_mapping", "game_info", "step_info")

# What a client of a server may ask for: no game that asks language models by the owner's key.
_Game = Annotated[
    str,
    Field(max_length=100, description="no game that asks language models"),
    AfterValidator(games.without_models),
]
_Lines = Annotated[
    list[Annotated[str, Field(max_length=MESSAGE_LENGTH)]], Field(min_length=1, max_length=100)
]

_Script = Annotated[list[Annotated[str, Field(max_length=MESSAGE_LENGTH)]], Field(min_length=1)]


class TextArenaEnvironment(Environment[TextArenaAction, TextArenaObservation, TextArenaState]):
    """A game of TextArena, in which the agent reads text and answers with text.

    The other players' turns are part of the step, and of the reset where they come first. If the
    others take :data:`MOST_TURNS` turns without the agent, as in a game that the agent has left,
    the episode is truncated. The reward is TextArena's at the end of the game, else 0. The fields
    are those of OpenEnv's ``textarena_env``.

    Args:
        env_id: TextArena's id of the game, such as ``"Wordle-v0"`` or ``"TicTacToe-v0"``.
        num_players: Number of players.
        opponent: The other players. ``"random"``: they say valid moves, where they find some. A
            list of messages: each of them says these in order, over and over. ``"self"``: no other
            players; the agent plays all sides, and a reward is for the player who moved.
        agent_player: Number of the agent as a player; it has no meaning with ``"self"``.
        env_kwargs: Further arguments of the game's constructor.
        allow_unseeded: Whether ``reset(seed=)`` is allowed in a game that asks language models,
            whose answers do not depend on a seed.

    Raises:
        OptionError: The game does not exist, or cannot be played here or by so many players.
        MissingDependencyError: A package that the game needs is not installed.
    """

    render_modes = ("ansi",)
    render_fps = 1
    server_reader = TextArenaReader

    def __init__(
        self,
        env_id: Annotated[str, ClientOption(_Game)] = "Wordle-v0",
        num_players: Annotated[int, Field(ge=1, le=MOST_PLAYERS), ClientOption()] = 1,
        opponent: Annotated[
            Literal["random", "self"] | _Script, ClientOption(Literal["random", "self"] | _Lines)
        ] = "random",
        agent_player: Annotated[
            int, Field(ge=0), ClientOption(Annotated[int, Field(ge=0, le=MOST_PLAYERS)])
        ] = 0,
        env_kwargs: dict[str, Any] | None = None,
        allow_unseeded: Annotated[bool, ClientOption()] = False,
    ) -> None:
        if agent_player >= num_players:
            raise OptionError(
                f"agent_player={agent_player} is not a player: with num_players={num_players} they "
                f"are 0 to {num_players - 1}.",
                agent_player=agent_player,
            )
        games.check(env_id, num_players)
        self.players = num_players if opponent == "self" else 1
        self._env_id = env_id
        self._num_players = num_players
        self._opponent = opponent
        self._agent = agent_player
        self._source = games.Source(env_id, env_kwargs or {}, num_players)
        self._seeded = allow_unseeded or games.is_seeded(env_id)
        self._replay = Replay(
            env_id=env_id,
            num_players=num_players,
            opponent=opponent if isinstance(opponent, str) else "lines",
            agent_player=agent_player,
        )
        self._clear(None)
        self._game, self._numbers = self._source.begin(0)  # an error is better now than later

    def _clear(self, episode_id: str | None) -> None:
        self._episode_id = episode_id
        self._steps = 0
        self._over = False
        self._alone = False  # whether the others play on without the agent
        self._reward = 0.0
        self._info: dict[str, Any] = {}
        self._messages: list[TextArenaMessage] = []
        self._others: dict[int, Player] = {}
        self._signals = WordleSignals() if self._env_id.startswith("Wordle-") else None

    def tasks(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Implements Environment.tasks: games that are begun from fixed numbers.

        A game that asks language models has none.
        """
        if not games.is_seeded(self._env_id):
            return {}
        return {
            name: [
                {"id": f"{self._env_id}-{number}", "index": index, "number": number}
                for index, number in enumerate(numbers)
            ]
            for name, numbers in _SPLITS.items()
        }

    def reset(
        self,
        seed: int | None = None,
        split: str | None = None,
        index: int | None = None,
        episode_id: str | None = None,
    ) -> TextArenaObservation:
        """Begin a game.

        Args:
            seed: Seed of the game. A game that does not depend on a seed refuses it.
            split: Split of the task that decides how the game begins, in place of the seed.
            index: Index of the task in its split.
            episode_id: Name of the episode in :attr:`state`.

        Raises:
            EpisodeError: The game asks language models, whose answers do not depend on a seed.
        """
        if seed is not None and not self._seeded:
            raise EpisodeError(
                f"{self._env_id} asks language models, whose answers do not depend on a seed: "
                "reset it without a seed, or make it with allow_unseeded=True.",
                env_id=self._env_id,
            )
        self._replay.begin(self, split=split, index=index, episode_id=episode_id)
        task = self.chosen_task(split, index)
        self._clear(episode_id)
        drawn = int(self.np_random.integers(2**31))
        self._game, self._numbers = self._source.begin(drawn if task is None else task["number"])
        self._prompts = games.prompts(self._game.state)
        if self._opponent != "self":
            for player in set(range(self._num_players)) - {self._agent}:
                self._others[player] = (
                    ScriptedPlayer(self._opponent)
                    if isinstance(self._opponent, list)
                    else RandomPlayer(games.is_seeded(self._env_id))
                )
            self._wait_for_turn()
        return self._observe(0.0)

    def step(self, action: TextArenaAction) -> TextArenaObservation:
        """Implements Environment.step."""
        self._steps += 1
        self._replay.add(action.message)
        state = self._game.state
        mover = state.current_player_id if self._opponent == "self" else self._agent
        if not (self._over or self._alone):  # a reset may end a game, but cannot report it
            self._say(action.message)
            if self._opponent != "self":
                self._wait_for_turn()
        self._reward = self._won(mover)
        if self._signals is not None:
            signals = self._signals.after(action.message, state.game_state, self._reward)
            self._info["reward_signals"] = signals
        return self._observe(self._reward, done=self._over or self._alone)

    def save(self) -> Any:
        """Implements Environment.save."""
        if not games.is_seeded(self._env_id):
            raise SnapshotError(
                f"{self._env_id} cannot be saved: it asks language models, whose answers no seed "
                "decides.",
                env_id=self._env_id,
            )
        return self._replay.save()

    def load(self, saved: Any) -> None:
        """Implements Environment.load."""
        self._replay.load(self, saved, lambda message: TextArenaAction(message=message))

    def _say(self, message: str) -> None:
        """Say a message as the player whose turn it is."""
        with playing(self._numbers):
            self._over, info = self._game.step(message)
        self._info = games.plain(info or {})

    def _wait_for_turn(self) -> None:
        """Let the others play until it is the agent's turn, or the game is over."""
        state = self._game.state
        for _ in range(MOST_TURNS):
            if self._over or state.current_player_id == self._agent:
                return
            player = self._others[state.current_player_id]
            self._say(player.say(self._game, self._read()[0], self.np_random))
        self._alone = True

    def _read(self) -> tuple[list[TextArenaMessage], int]:
        """Return the new messages for the player whose turn it is, and the characters cut off."""
        with playing(self._numbers):
            _, observed = self._game.get_observation()
        messages = games.messages(observed)
        return messages, games.shorten(messages)

    def _won(self, player: int) -> float:
        return games.outcome(self._game.state, player)[0]

    def _observe(self, reward: float, done: bool = False) -> TextArenaObservation:
        state = self._game.state
        if (self._over or self._alone) and self._opponent != "self":
            state.current_player_id = self._agent  # the agent reads the end
        player = int(state.current_player_id)
        self._messages, cut = self._read()
        metadata: dict[str, Any] = {"turn": getattr(state, "turn", 0)}
        if cut:
            metadata["cut"] = cut
        if self._over:
            metadata["reason"] = games.outcome(state, player)[1]
        elif self._alone:
            metadata["reason"] = f"The other players had {MOST_TURNS} turns without the agent."
        if "reward_signals" in self._info:
            metadata["reward_signals"] = dict(self._info["reward_signals"])
        if self.players > 1:
            metadata["rewards"] = [self._won(one) for one in range(self._num_players)]
        return TextArenaObservation(
            prompt=self._prompts.get(player) or self._env_id,
            messages=self._messages,
            current_player_id=player,
            legal_players=list(range(self._num_players)),
            info=self._info,
            reward=reward,
            done=done,
            truncated=done and not self._over,
            metadata=metadata,
        )

    def openenv_metadata(self, observation: TextArenaObservation) -> dict[str, Any]:
        """Return the game's id and the messages, which OpenEnv's server sends twice."""
        messages = [message.model_dump() for message in observation.messages]
        return {"env_id": self._env_id, "raw_messages": messages}

    @property
    def state(self) -> TextArenaState:
        """The state of the game, **the solution included**."""
        state = self._game.state
        kept = {name: games.plain(getattr(state, name, None)) for name in _KEPT}
        if "reward_signals" in self._info:
            kept["reward_signals"] = self._info["reward_signals"]
        return TextArenaState(
            episode_id=self._episode_id,
            step_count=self._steps,
            env_id=self._env_id,
            num_players=self._num_players,
            max_turns=getattr(state, "max_turns", None),
            turn=getattr(state, "turn", 0),
            last_reward=self._reward,
            last_info=self._info,
            raw_state=kept,
        )

    def render(self) -> str | None:
        """Return the agent's last messages."""
        if self.render_mode != "ansi":
            return None
        return "\n".join(message.content for message in self._messages) + "\n"
