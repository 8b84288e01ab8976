"""The OpenSpiel environment: any game of the library, with OpenEnv's fields and rewards."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from operator import sub
from typing import Annotated, Any, Literal

import numpy as np
import pyspiel
from gymnasium.spaces import Discrete, Space
from numpy.typing import NDArray
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import EpisodeError, OptionError, SnapshotError
from openenv_gym.models import ClientOption
from openenv_gym_envs.openspiel.loading import Source
from openenv_gym_envs.openspiel.match import OVER, Match
from openenv_gym_envs.openspiel.models import (
    OpenSpielAction,
    OpenSpielObservation,
    OpenSpielState,
)
from openenv_gym_envs.openspiel.opponents import Policy, make_opponent, make_population
from openenv_gym_envs.openspiel.views import Kind, make_drawing, make_view
from openenv_gym_envs.replaying import Replay

# The body of the model's constructor, without the call around it: saves a twentieth of a step.
_OBSERVATION: Callable[[dict[str, Any]], OpenSpielObservation] = (
    OpenSpielObservation.__pydantic_validator__.validate_python
)
_SIMULTANEOUS = pyspiel.GameType.Dynamics.SIMULTANEOUS
# At the end these games solve a hand of bridge with open cards, which takes a tenth of a second.
_SLOW = frozenset({"bridge", "bridge_uncontested_bidding", "tiny_bridge_2p"})


# What a client of a server may ask for: of games any, without parameters, which decide how much
# time and memory one takes.
_Name = Annotated[
    str, Field(max_length=64, pattern=r"^[A-Za-z0-9_]+$", description="without parameters")
]
_Seat = Annotated[int, Field(ge=0, le=1000)] | Literal["random"]
_Characters = Annotated[int, Field(ge=1, le=65_536)]


class OpenSpielEnvironment(Environment[OpenSpielAction, OpenSpielObservation, OpenSpielState]):
    """A game of OpenSpiel, as in OpenEnv's ``openspiel_env``.

    The agent plays one seat and an opponent all others; the opponent's moves are part of the step,
    or of the reset where they come first. With ``opponent="self"`` the agent moves for all players
    in turn.

    The reward is what the step added to the agent's return (with ``"self"`` to the return of the
    player who moved), so that the rewards of an episode add up to the game's return. An action that
    is not legal ends the episode with the lowest return of the game (with a reward of -1 if the
    game has no lowest return) and does not change the game's state.

    Args:
        game: A game string of OpenSpiel, with or without parameters: ``"go(board_size=9)"``.
        opponent: ``"random"``: any legal action. ``"first"``, ``"last"``, ``"middle"``: the action
            at that place in the list of legal actions. ``"mcts"``: OpenSpiel's Monte Carlo tree
            search. ``"self"``: no opponent, the agent plays all seats. In games of one player it
            has no meaning; in mean-field games the population plays at random.
        agent_player: The agent's seat, from 0; with ``"random"`` each reset draws it. It has no
            meaning with ``"self"``.
        observation: ``"observation"``: the tensor of the present view of the game.
            ``"information_state"``: the tensor of everything that the player has seen so far.
            ``"text"``: the former as OpenSpiel's text, or the latter where the game lacks the
            former. None: the first of these three that the game has.
        simulations: Number of times that ``"mcts"`` plays on from the position for each move.
        max_text: Most characters of a text.
        allow_unseeded: Whether to accept a seed for a game whose chance cannot be seeded.
        game_files: Parameters of the game that name files on the machine where it runs.

    Raises:
        OptionError: OpenSpiel does not have the game or cannot play it, or the other options do not
            fit the game.
    """

    render_modes = ("ansi", "rgb_array")
    render_fps = 2

    def __init__(
        self,
        game: Annotated[str, ClientOption(_Name)] = "catch",
        opponent: Annotated[Policy, ClientOption()] = "random",
        agent_player: Annotated[
            Annotated[int, Field(ge=0)] | Literal["random"], ClientOption(_Seat)
        ] = 0,
        observation: Annotated[Kind | None, ClientOption()] = None,
        simulations: Annotated[
            int, Field(ge=1, le=1_000_000), ClientOption(Annotated[int, Field(ge=1, le=1000)])
        ] = 100,
        max_text: Annotated[int, Field(ge=1, le=10_000_000), ClientOption(_Characters)] = 32_768,
        allow_unseeded: Annotated[bool, ClientOption()] = False,
        game_files: dict[str, str] | None = None,
    ) -> None:
        self._replay = Replay(
            game=game, opponent=opponent, agent_player=agent_player, simulations=simulations
        )
        self._source = Source(game, game_files or {})
        self._policy = opponent
        self._agent_player: int | Literal["random"] = agent_player
        self._kind: Kind | None = observation
        self._max_text = max_text
        self._allow_unseeded = allow_unseeded
        rng = np.random.default_rng(0)  # for a first look at the game
        self._take(self._source.load(rng))
        self._actions = int(self._game.num_distinct_actions())
        self._count = int(self._game.num_players())
        self._population = make_population(opponent, self._game)
        self._opponent = make_opponent(opponent, self._game, simulations, self._source.compiled)
        self._simultaneous = self._game.get_type().dynamics == _SIMULTANEOUS
        lowest = float(self._game.min_utility())
        self._lowest = lowest if math.isfinite(lowest) else None
        self.players = self._count if opponent == "self" else 1
        # A search, and a game that is written in Python, may take milliseconds.
        self.inline = (
            opponent != "mcts" and self._source.compiled and self._source.name not in _SLOW
        )
        if agent_player != "random" and agent_player >= self._count:
            raise OptionError(
                f"Option agent_player={agent_player}: {self._game} has {self._count} players, "
                f"numbered from 0.",
                agent_player=agent_player,
            )
        try:
            self._begin(self._game, rng, 0, None)
        except pyspiel.SpielError as error:
            raise self._source.unplayable(str(error)) from error
        legal = self._match.legal
        if not legal or legal[-1] >= self._actions:
            raise self._source.unplayable(
                f"it has {self._actions} actions, but calls the actions {legal[:20]} legal at the "
                "beginning"
            )

    def _take(self, game: pyspiel.Game) -> None:
        self._game = game
        self._view = make_view(game, self._kind, self._max_text, self._source.plain)
        self._drawing = make_drawing(game)

    def _begin(
        self, game: pyspiel.Game, rng: np.random.Generator, agent: int, episode_id: str | None
    ) -> None:
        self._match = Match(game, rng, self._population)
        self._agent = agent
        self._mover = agent
        self._answer: int | None = None
        self._returns = [0.0] * self._count
        self._episode_id = episode_id

    def save(self) -> Any:
        """Implements Environment.save."""
        if not self._source.seedable:
            raise SnapshotError(
                f"{self._game} cannot be saved: it draws numbers that cannot be seeded.",
                game=self._source.name,
            )
        return self._replay.save()

    def load(self, saved: Any) -> None:
        """Implements Environment.load."""
        self._replay.load(self, saved, lambda action: OpenSpielAction(action_id=action))

    def spaces(self) -> Mapping[str, Space[Any]]:
        """Implements Environment.spaces."""
        return {"action_id": Discrete(self._actions), "info_state": self._view.space}

    def metadata(self) -> Mapping[str, Any]:
        """The general metadata, OpenSpiel's tensor shape, and whether players act at once."""
        return {
            **super().metadata(),
            "tensor_shape": self._view.shape,
            "simultaneous": self._simultaneous,
        }

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> OpenSpielObservation:
        """Begin a game; opponents whose turn comes first move.

        Args:
            seed: The seed, if one was given.
            episode_id: Name of the episode in :attr:`state`.

        Raises:
            OptionError: A seed was given, and the game's chance cannot be seeded.
        """
        source, rng = self._source, self.np_random
        self._replay.begin(self, episode_id=episode_id)
        if seed is not None and not (source.seedable or self._allow_unseeded):
            raise OptionError(
                f"The chance of {self._game} cannot be seeded: reset without a seed, or make the "
                "environment with allow_unseeded=True.",
                game=source.name,
            )
        game = source.load(rng)
        if game is not self._game:
            self._take(game)
        agent = self._agent_player
        if agent == "random":
            agent = int(rng.integers(self._count))
        self._begin(self._game, rng, agent, episode_id)
        if self._opponent is not None:
            self._opponent.begin(self._game, rng)
        self._play_others()
        observation = self._observe([0.0] * self._count, "initial")
        # Opponents may have ended the game already. A reset cannot report that an episode is over:
        # the first step does.
        observation.done, observation.reward = False, None
        return observation

    def step(self, action: OpenSpielAction) -> OpenSpielObservation:
        """Implements Environment.step."""
        match = self._match
        self._replay.add(action.action_id)
        if match.player != OVER:
            self._mover = match.player
            if self._opponent is not None and match.player != self._agent:
                raise EpisodeError("The opponent failed in the middle of this game: call reset().")
            if action.action_id not in match.legal:
                return self._lose(action.action_id)
            match.act(action.action_id)
            self._play_others()
        # A copy is made because games in Python may return an array that they change later.
        returns = list(map(float, match.state.returns()))
        gains = list(map(sub, returns, self._returns))
        self._returns = returns
        return self._observe(gains, "playing")

    @property
    def state(self) -> OpenSpielState:
        """The game and the names of its actions; ``step_count`` counts all players' moves."""
        match = self._match
        seat = self._seen_by()
        return OpenSpielState(
            episode_id=self._episode_id,
            step_count=match.moves,
            game_name=self._source.name,
            game_params=self._source.parameters,
            num_players=self._count,
            agent_player=seat,
            opponent_policy=self._policy,
            history=match.state.history(),
            legal_actions=match.legal,
            legal_action_names=[match.state.action_to_string(seat, id) for id in match.legal],
        )

    def render(self) -> NDArray[np.uint8] | str | None:
        """Return what the player sees as OpenSpiel's text, or a picture, (480, 640, 3) uint8."""
        if self.render_mode is None:
            return None
        text = self._drawing(self._match.state, self._seen_by())
        if self.render_mode == "ansi":
            return f"{text}\n"
        # Imported here, since Pillow is slow to load and only this needs it.
        from openenv_gym_envs.openspiel.drawing import draw

        return draw(text)

    def _play_others(self) -> None:
        """Let the opponents move until it is the agent's turn, or the game is over."""
        self._answer = None
        others = self._opponent
        if others is None:
            return
        match, agent, rng = self._match, self._agent, self.np_random
        while match.player != agent and match.player != OVER:
            self._answer = others.choose(match.state, match.legal, rng)
            match.act(self._answer)

    def _lose(self, action: int) -> OpenSpielObservation:
        """End the episode because of an action that is not legal."""
        self._match.stop()
        self._answer = None
        gains = [0.0] * self._count
        before = self._returns[self._mover]
        gains[self._mover] = -1.0 if self._lowest is None else min(self._lowest - before, 0.0)
        observation = self._observe(gains, "playing")
        observation.metadata["illegal_action"] = action
        return observation

    def _seen_by(self) -> int:
        """Return the player for whom observation and reward are."""
        if self.players == 1:
            return self._agent
        player = self._match.player
        return self._mover if player == OVER else player

    def _observe(self, gains: list[float], phase: str) -> OpenSpielObservation:
        match = self._match
        over = match.player == OVER
        seat = self._seen_by()
        metadata: dict[str, Any] = {}
        if self.players > 1:
            info_state, metadata = self._observe_all(seat, gains)
        else:
            info_state = self._view.of(match.state, seat)
            if self._count > 1:
                metadata["agent_player"] = seat
        return _OBSERVATION(
            {
                "info_state": info_state,
                "legal_actions": match.legal,
                "game_phase": "terminal" if over else phase,
                "current_player_id": match.player,
                "opponent_last_action": self._answer,
                "done": over,
                "reward": gains[self._mover if self.players > 1 else seat],
                "metadata": metadata,
            }
        )

    def _observe_all(self, seat: int, gains: list[float]) -> tuple[Any, dict[str, Any]]:
        """Return the seat's view, and each player's view, gain and legal actions."""
        match = self._match
        seen = [self._view.of(match.state, player) for player in range(self._count)]
        metadata: dict[str, Any] = {
            "rewards": gains,
            "observations": seen if isinstance(seen[0], str) else np.stack(seen),
        }
        if self._simultaneous:
            masks = np.zeros((self._count, self._actions), np.int8)
            for player in range(self._count):
                masks[player, match.legal_of(player)] = 1
            metadata["action_masks"] = masks
        return seen[seat], metadata
