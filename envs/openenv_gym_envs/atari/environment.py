"""The Atari environment: ALE's own, with OpenEnv's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import ale_py
import numpy as np
from ale_py.env import AtariEnv
from ale_py.roms import get_all_rom_ids
from gymnasium.spaces import Box, Discrete, Space
from numpy.typing import NDArray
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import OptionError, SnapshotError, did_you_mean
from openenv_gym.models import ClientOption
from openenv_gym_envs.atari.models import AtariAction, AtariObservation, AtariState
from openenv_gym_envs.atari.openenv_server import AtariReader

FRAMES_PER_SECOND = 60
"""Frames that the console draws in a second."""

# ALE has nobody to play the other side of these games, and loading one of them ends the process.
FOR_TWO = frozenset({"combat", "joust", "maze_craze", "warlords"})
_INLINE_FRAMES = 5  # more take milliseconds: too long for a server's event loop

# Set before the first emulator is made, which would write a banner to stderr.
ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)

_Frames = Annotated[int, Field(ge=1)]
# What a client of a server may ask for.
_Name = Annotated[str, Field(max_length=64)]
_Skipped = Annotated[int, Field(ge=1, le=60)]
_Switch = Annotated[int, Field(ge=0, le=1000)]
_Limit = Annotated[int, Field(ge=1, le=1_000_000)]


def games() -> list[str]:
    """Return the sorted names of all games that can be played: those of ALE for one player."""
    return sorted(set(get_all_rom_ids()) - FOR_TWO)


class AtariEnvironment(Environment[AtariAction, AtariObservation, AtariState]):
    """A game of the Atari 2600, as ``gymnasium.make("ALE/Pong-v5")`` plays it.

    The same seed and actions give the same observations, rewards, flags and lives, bit for bit:
    the emulator is stepped by ALE's own ``AtariEnv``, whose randomness is seeded as there.
    Rewards are the changes of the game's score. Losing a life does not end the episode.

    Args:
        game: Name of the game, such as ``"pong"`` or ``"ms_pacman"``.
        obs_type: ``"rgb"``: (height, width, 3). ``"grayscale"``: (height, width). ``"ram"``: the
            console's 128 bytes of memory.
        frameskip: Number of frames for which a step holds the action. With two numbers each step
            draws one, from the first to one less than the second.
        repeat_action_probability: Chance that a frame repeats the previous frame's action instead.
        full_action_space: Whether all 18 actions exist, not only those that the game uses.
        mode: Position of the game's mode switch; None for the game's default.
        difficulty: Position of the game's difficulty switch; None for the game's default.
        max_num_frames: Number of frames, skipped ones included, after which an episode is
            truncated; None for no limit.

    Raises:
        OptionError: The game, or its mode or difficulty, does not exist.
    """

    server_reader = AtariReader
    render_modes = ("rgb_array",)

    def __init__(
        self,
        game: Annotated[str, ClientOption(_Name)] = "pong",
        obs_type: Annotated[Literal["rgb", "grayscale", "ram"], ClientOption()] = "rgb",
        frameskip: Annotated[
            _Frames | tuple[int, int], ClientOption(_Skipped | tuple[_Skipped, _Skipped])
        ] = 4,
        repeat_action_probability: Annotated[float, Field(ge=0, le=1), ClientOption()] = 0.25,
        full_action_space: Annotated[bool, ClientOption()] = False,
        mode: Annotated[Annotated[int, Field(ge=0)] | None, ClientOption(_Switch | None)] = None,
        difficulty: Annotated[
            Annotated[int, Field(ge=0)] | None, ClientOption(_Switch | None)
        ] = None,
        max_num_frames: Annotated[_Frames | None, ClientOption(_Limit)] = 108_000,
    ) -> None:
        _check_game(game)
        self._frames = _frames(frameskip)
        self.inline = self._frames[1] <= _INLINE_FRAMES
        self._atari = _load_game(
            game,
            mode,
            difficulty,
            obs_type=obs_type,
            frameskip=frameskip,
            repeat_action_probability=repeat_action_probability,
            full_action_space=full_action_space,
            max_num_frames_per_episode=max_num_frames,
        )
        self._meanings = self._atari.get_action_meanings()
        self._legal = list(range(len(self._meanings)))
        self._state = AtariState(
            game_name=game,
            obs_type=obs_type,
            full_action_space=full_action_space,
            mode=mode,
            difficulty=difficulty,
            repeat_action_probability=repeat_action_probability,
            frameskip=frameskip,
            action_meanings=self._meanings,
        )
        self._steps = 0
        self._episode_id: str | None = None
        self.exports = {
            "np_random": "",
            "_frameskip": "constant",  # AtariPreprocessing looks whether it is 1
            "get_action_meanings": "constant",
            "get_keys_to_action": "",
            "ale.lives": "info.lives",
            "ale.getEpisodeFrameNumber": "info.episode_frame_number",
            "ale.getFrameNumber": "info.frame_number",
            "ale.getScreenRGB": "observation" if obs_type == "rgb" else "",
            "ale.getScreenGrayscale": "observation" if obs_type == "grayscale" else "",
            "ale.getRAM": "observation" if obs_type == "ram" else "",
        }

    @property
    def np_random(self) -> np.random.Generator:
        """ALE's own, which draws numbers of frames; wrappers draw from it too."""
        return self._atari.np_random

    @property
    def ale(self) -> ale_py.ALEInterface:
        """The emulator."""
        return self._atari.ale

    @property
    def _frameskip(self) -> int | tuple[int, int]:
        return self._atari._frameskip

    def get_action_meanings(self) -> list[str]:
        """Return the names of the actions, in their order."""
        return list(self._meanings)

    def get_keys_to_action(self) -> dict[tuple[str, ...], int]:
        """Return the action for keys that are pressed together."""
        return {keys: int(action) for keys, action in self._atari.get_keys_to_action().items()}

    def spaces(self) -> Mapping[str, Space[Any]]:
        """The Spaces of the game's actions and of its screen."""
        screen = self._atari.observation_space
        return {
            "action_id": Discrete(len(self._legal)),
            "screen": Box(0, 255, screen.shape, np.uint8),
        }

    def metadata(self) -> Mapping[str, Any]:
        """The metadata of every environment, and the names of the actions."""
        fps = FRAMES_PER_SECOND / (sum(self._frames) / 2)
        own = {"render_fps": max(1, round(fps)), "action_meanings": self._meanings}
        return {**super().metadata(), **own}

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> AtariObservation:
        """Begin a game.

        Args:
            seed: Seed of the emulator, which is loaded again; None continues with its random
                numbers.
            episode_id: Name of the episode in :attr:`state`.
        """
        self._steps = 0
        self._episode_id = episode_id
        screen, info = self._atari.reset(seed=seed)
        return self._observe(screen, info, reward=0.0, metadata=self._game_metadata())

    def step(self, action: AtariAction) -> AtariObservation:
        """Implements Environment.step."""
        self._steps += 1
        screen, reward, terminated, truncated, info = self._atari.step(action.action_id)
        return self._observe(
            screen,
            info,
            reward=reward,
            done=terminated or truncated,
            terminated=terminated,
            truncated=truncated,
        )

    def _observe(self, screen: Any, info: Any, **more: Any) -> AtariObservation:
        return AtariObservation(
            screen=screen,
            legal_actions=self._legal,
            lives=info["lives"],
            episode_frame_number=info["episode_frame_number"],
            frame_number=info["frame_number"],
            **more,
        )

    def _game_metadata(self) -> dict[str, Any]:
        return {"game_name": self._state.game_name, "action_meanings": self._meanings}

    def openenv_metadata(self, observation: AtariObservation) -> dict[str, Any]:
        """Return the facts about the game that OpenEnv's server sends with every observation."""
        return self._game_metadata()

    def save(self) -> Any:
        """Implements Environment.save: the emulator, with its random numbers."""
        emulator = self.ale.cloneState(include_rng=True).serialize()
        return [self._state.game_name, emulator, self._steps, self._episode_id]

    def load(self, saved: Any) -> None:
        """Implements Environment.load."""
        game, emulator, steps, episode_id = saved
        if game != self._state.game_name:
            raise SnapshotError(
                f"This is a snapshot of the game {game!r}, not of {self._state.game_name!r}.",
                game=self._state.game_name,
            )
        self._steps, self._episode_id = steps, episode_id
        self.ale.restoreState(ale_py.ALEState(emulator))

    @property
    def state(self) -> AtariState:
        """The settings of the game."""
        current = {"episode_id": self._episode_id, "step_count": self._steps}
        return self._state.model_copy(update=current)

    def render(self) -> NDArray[np.uint8] | None:
        """Return the screen in colours: (height, width, 3) uint8."""
        if self.render_mode != "rgb_array":
            return None
        screen: NDArray[np.uint8] = self._atari.ale.getScreenRGB()
        return screen


def _check_game(game: str) -> None:
    known = games()
    if game in known:
        return
    if game in FOR_TWO:
        raise OptionError(
            f"game={game!r} is for two players only, and ALE plays one: choose another.",
            game=game,
            known=known,
        )
    raise OptionError(
        f"There is no game={game!r}.{did_you_mean(game, known)} Known are {', '.join(known)}.",
        game=game,
        known=known,
    )


def _frames(frameskip: int | tuple[int, int]) -> tuple[int, int]:
    """Return the fewest frames of a step, and the most."""
    if isinstance(frameskip, int):
        return frameskip, frameskip
    low, high = frameskip
    if not 1 <= low < high:
        raise OptionError(
            f"frameskip={frameskip} leaves no number of frames to draw: the first must be at least "
            "1, and the second, which is never drawn itself, larger.",
            frameskip=frameskip,
        )
    return low, high - 1


def _load_game(game: str, mode: int | None, difficulty: int | None, **settings: Any) -> AtariEnv:
    try:
        return AtariEnv(game, mode=mode, difficulty=difficulty, **settings)
    except RuntimeError as error:
        ale = AtariEnv(game).ale
        modes, difficulties = ale.getAvailableModes(), ale.getAvailableDifficulties()
        raise OptionError(
            f"game={game!r} does not have both mode={mode} and difficulty={difficulty}. It has the "
            f"modes {modes} and the difficulties {difficulties}.",
            game=game,
            modes=modes,
            difficulties=difficulties,
        ) from error
