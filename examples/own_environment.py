"""An environment of one's own in forty lines, over three transports.

python -m pip install -e ".[server]" && python examples/own_environment.py
"""

from typing import Annotated, Literal

import gymnasium as gym

from openenv_gym import Action, Environment, Info, Observation, State, register_environment
from openenv_gym.testing import play, same


class Guess(Action):
    """A number from 0 to 99."""

    number: Annotated[int, gym.spaces.Discrete(100)]


class Hint(Observation):
    """Where the secret number is; in ``info`` how many guesses there were."""

    hint: Literal["none", "lower", "higher", "right"] = "none"
    guesses: Annotated[int, Info()] = 0


class Secret(Environment[Guess, Hint, State]):
    """Find the number; each guess costs a tenth."""

    def reset(self) -> Hint:
        """Choose a number, by the seed."""
        self.secret, self.guesses = int(self.np_random.integers(100)), 0
        return Hint()

    def step(self, action: Guess) -> Hint:
        """Compare the guess with it."""
        self.guesses += 1
        if action.number == self.secret:
            return Hint(hint="right", guesses=self.guesses, reward=1.0, done=True)
        hint = "lower" if self.secret < action.number else "higher"
        return Hint(hint=hint, guesses=self.guesses, reward=-0.1)

    @property
    def state(self) -> State:
        """How far the episode is."""
        return State(step_count=self.guesses)


if __name__ == "__main__":
    register_environment("acme/Secret-v0", "own_environment:Secret", max_episode_steps=100)
    episodes = {}
    for transport in ("inprocess", "process", "websocket"):
        with gym.make("acme/Secret-v0", transport=transport) as env:
            episodes[transport] = list(play(env, seed=7, steps=200))
        alike = same(episodes[transport], episodes["inprocess"])
        print(f"{transport}: {'the same 200 steps' if alike else 'DIFFERENT'}")
