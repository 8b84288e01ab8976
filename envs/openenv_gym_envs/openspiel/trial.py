"""Plays a game once, in a process of its own: ``loading.py`` runs this file.

OpenSpiel checks few of the parameters of its games: ``connect_four(rows=0)`` ends the process that
plays it. So a game with parameters is first played in this process, which may end.

    python trial.py PARAMETERS      (JSON: the game's name and its parameters)

The exit status is 0 if the game can be played; else the last line of stderr says what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
from pathlib import Path

import pyspiel
from open_spiel.python import games  # noqa: F401  # registers those that are written in Python

UNKNOWN = 3
"""Exit status if OpenSpiel does not know the game."""
_MEMORY = 2 << 30  # bytes of address space
_MOVES = 100


def play(game: pyspiel.Game) -> None:
    """Play at random, and compute everything that an observation might need."""
    kind = game.get_type()
    state = game.new_initial_state()
    if state.is_terminal():
        raise ValueError("the game is over before it begins")
    luck = random.Random(0)
    for _ in range(_MOVES):
        for player in range(game.num_players()):
            if kind.provides_observation_tensor:
                state.observation_tensor(player)
            if kind.provides_information_state_tensor:
                state.information_state_tensor(player)
        if state.is_terminal():
            return
        if state.is_chance_node():
            state.apply_action(luck.choice([action for action, _ in state.chance_outcomes()]))
        elif state.is_mean_field_node():
            count = len(state.distribution_support())
            state.update_distribution([1 / count] * count)
        elif state.is_simultaneous_node():
            seats = range(game.num_players())
            state.apply_actions([luck.choice(state.legal_actions(seat) or [0]) for seat in seats])
        else:
            state.apply_action(luck.choice(state.legal_actions()))


def main() -> int:
    """Play the game that the command line names."""
    with contextlib.suppress(ImportError, OSError):  # some systems have no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        # If memory runs out, the system ends this trial and not the process that waits for it.
        Path("/proc/self/oom_score_adj").write_text("1000")
    parameters = json.loads(sys.argv[1])
    name = parameters.pop("name")
    if name not in pyspiel.registered_names():
        return UNKNOWN
    try:
        play(pyspiel.load_game(name, parameters))
    except Exception as error:  # whatever it is, the game cannot be played
        print(f"\n{' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
