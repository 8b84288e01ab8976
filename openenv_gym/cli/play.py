"""``openenv-gym play``: an environment in the terminal, played by hand or at random."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from pydantic import ValidationError

from openenv_gym.cli.arguments import add_options, add_server, options_of
from openenv_gym.client import client_class
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import ActionError, OpenEnvGymError, OptionError, SpaceError
from openenv_gym.registry import TRANSPORTS
from openenv_gym.spaces.derive import ModelSpace, fitted
from openenv_gym.spaces.json.values import json_values

RANDOM_STEPS = 100
"""Steps of a random episode that does not end before."""

_HELP = """\
An action is JSON, or a plain text: 3, e2e4, {"x": 1, "y": 2}. Beside these:
  :random   take a random legal action
  :legal    all legal actions
  :state    show what the environment has beside the observation
  :reset    begin another episode
  :quit     end (so does the end of the input)"""
_SHOWN = 12  # legal actions in the prompt


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Shows the environment in the terminal, as text where it renders text, and asks for an "
        "action; or plays at random."
    )
    parser.add_argument(
        "environment",
        nargs="?",
        help="name, id, module:Class or folder of the environment; not needed with --url",
    )
    parser.add_argument("--transport", choices=TRANSPORTS, help="how it runs")
    add_server(parser, ": ws://..., http://..., unix://...")
    add_options(parser)
    parser.add_argument("--seed", type=int, help="of the episode, and of random actions")
    parser.add_argument("--random", action="store_true", help="take random legal actions")
    parser.add_argument(
        "--steps", type=int, help=f"end after so many (with --random: {RANDOM_STEPS})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Play one episode, or more where the player asks for it."""
    if arguments.environment is None and arguments.url is None:
        raise OptionError("Name an environment, or a server that has one: --url.")
    env = _made(arguments)
    try:
        steps = arguments.steps
        if steps is None and arguments.random:
            steps = RANDOM_STEPS
        Game(env, Actions(env, arguments.environment), arguments.seed).play(
            random=arguments.random, steps=steps
        )
    finally:
        env.close()
    return 0


def _made(arguments: argparse.Namespace) -> OpenEnvGym:
    keywords: dict[str, Any] = {
        "transport": arguments.transport,
        "url": arguments.url,
        "token": arguments.token,
        **options_of(arguments.option),
    }
    env = OpenEnvGym(arguments.environment, **keywords)
    if "ansi" not in env.metadata["render_modes"]:
        return env
    env.close()
    return OpenEnvGym(arguments.environment, render_mode="ansi", **keywords)


class Actions:
    """Actions as a player writes and reads them.

    Args:
        env: What they are for.
        environment: Its name, by which its models are found, if they are here.

    Attributes:
        mask: int8, those that are legal now; None where the environment has no mask.
    """

    def __init__(self, env: OpenEnvGym, environment: str | None) -> None:
        self.mask: Any = None
        self._space: Space[Any] = env.action_space
        self._models = None if environment is None else _models(environment, self._space)

    def read(self, text: str) -> Any:
        """Return the value of the action space that a text stands for.

        Raises:
            ActionError: It is not an action.
        """
        problems: list[str] = []
        for meaning in _meanings(text):
            try:
                value = self._value(meaning)
            except (ValidationError, SpaceError) as error:
                problems.append(_first_problem(error))
                continue
            if self._space.contains(value):
                return value
            problems.append(f"it is not in {self._space}")
        raise ActionError(
            f"{text[:200]!r} is not an action: {problems[0]}. :help shows what is.",
            action=text[:200],
        )

    def _value(self, meaning: Any) -> Any:
        if self._models is None:
            return json_values(self._space, "the action").to_space(meaning)
        if len(self._models.fields) == 1:
            (name,) = self._models.fields
            if not (isinstance(meaning, dict) and meaning.keys() == {name}):
                meaning = {name: meaning}
        return self._models.to_space(self._models.model.model_validate(meaning))

    def write(self, value: Any) -> str:
        """Return a value of the action space as a player would write it."""
        if self._models is None:
            plain = json_values(self._space, "the action").from_space(value)
        else:
            plain = self._models.model.model_validate(self._models.from_space(value)).model_dump(
                mode="json", include={*self._models.fields}
            )
            if len(plain) == 1:
                (plain,) = plain.values()
        return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)

    def legal(self) -> list[str] | None:
        """Return the legal actions; None where they are not known one by one."""
        if self.mask is None:
            return None
        start = int(getattr(self._space, "start", 0))
        return [self.write(start + int(number)) for number in np.flatnonzero(self.mask)]

    def random(self) -> Any:
        """Return a random legal action."""
        return self._space.sample(self.mask)


def _models(environment: str, space: Space[Any]) -> ModelSpace | None:
    """Return the action model, if there is one here that fits the action space."""
    try:
        return fitted(client_class(environment).action_type, space)
    except OpenEnvGymError:
        return None


def _meanings(text: str) -> list[Any]:
    try:
        return [json.loads(text), text]
    except (ValueError, RecursionError):
        return [text]


def _first_problem(error: ValidationError | SpaceError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return ": ".join([".".join(map(str, first["loc"])), first["msg"]])
    return str(error).rstrip(".")


class Game:
    """Episodes in the terminal.

    Args:
        env: What is played.
        actions: Its actions.
        seed: Of the first episode and of random actions.
    """

    def __init__(self, env: OpenEnvGym, actions: Actions, seed: int | None) -> None:
        self._env = env
        self._actions = actions
        self._seed = seed
        env.action_space.seed(seed)

    def play(self, *, random: bool, steps: int | None) -> None:
        """Play until the episode ends, the player ends it, or so many steps were taken."""
        self._begin()
        while not self._over and (steps is None or self._steps < steps):
            action = self._actions.random() if random else self._ask()
            if action is None:
                break
            if random:
                print(f"action> {self._actions.write(action)}")
            self._step(action)
        end = "is over" if self._over else "was ended"
        print(f"The episode {end} after {self._steps} steps; sum of rewards: {self._total:g}")

    def _begin(self) -> None:
        observation, info = self._env.reset(seed=self._seed)
        self._seed = None  # the next episode is another
        self._steps, self._total, self._over = 0, 0.0, False
        self._show(observation, info)

    def _step(self, action: Any) -> None:
        try:
            observation, reward, terminated, truncated, info = self._env.step(action)
        except ActionError as error:  # the environment was not stepped
            print(error)
            return
        self._steps += 1
        self._total += float(reward)
        self._over = terminated or truncated
        self._show(observation, info)
        end = " terminated" * terminated + " truncated" * truncated
        print(f"step {self._steps}: reward {float(reward):g}{end}")

    def _ask(self) -> Any:
        """Return the player's next action; None where the player ends the episode."""
        while True:
            legal = self._actions.legal()
            if legal is not None:
                more = f" ... ({len(legal)}, :legal for all)" if len(legal) > _SHOWN else ""
                print(f"legal: {' '.join(legal[:_SHOWN])}{more}")
            print("action> ", end="", flush=True)
            line = sys.stdin.readline()
            word = line.strip()
            if not line or word == ":quit":
                print()
                return None
            if word == ":random":
                return self._actions.random()
            if word == ":reset":
                self._begin()
            elif word.startswith(":"):
                self._answer(word)
            else:
                try:
                    return self._actions.read(word)
                except ActionError as error:
                    print(error)

    def _answer(self, word: str) -> None:
        if word == ":legal":
            print(" ".join(self._actions.legal() or ["all of", str(self._env.action_space)]))
        elif word == ":state":
            print(_shown(self._env.state()))
        else:
            print(f"{_HELP}\nThe action space is {self._env.action_space}.")

    def _show(self, observation: Any, info: dict[str, Any]) -> None:
        self._actions.mask = info.get("action_mask")
        frame = self._env.render() if self._env.render_mode is not None else None
        print(frame if frame is not None else _shown(observation))
        further = {name: value for name, value in info.items() if name != "action_mask"}
        if further and frame is None:
            print(_shown(further))


def _shown(value: Any) -> str:
    """Return a value as text for a reader; of a dict a line for each item."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_brief(item)}" for name, item in value.items())
    return _brief(value)


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, threshold=64, edgeitems=2)
    return str(value)
