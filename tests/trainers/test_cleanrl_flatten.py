"""Scripts that build dense networks get flat observations; the others get them as they are."""

from __future__ import annotations

import pickle
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from openenv_gym.cleanrl import gymnasium_029, main, run
from openenv_gym.cleanrl.flatten import FlatObservation, Flattening, is_picture

DENSE = "import numpy as np\nwidth = lambda e: np.array(e.single_observation_space.shape).prod()\n"
MAKE = (
    "import gymnasium as gym\nenv = gym.make(ID)\n"
    "space, (seen, _) = env.observation_space, env.reset(seed=1)\n"
)


def script(tmp_path: Path, text: str, id: str = "openenv/Connect4-v0") -> Path:
    path = tmp_path / "script.py"
    path.write_text(text.replace("ID", repr(id)))
    return path


def test_a_board_becomes_a_vector_for_dense_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run(script(tmp_path, DENSE + MAKE + MAKE))
    assert names["space"].shape == (42,)
    assert names["space"].dtype == np.float32
    assert names["seen"] in names["space"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1  # though it was made twice
    assert "openenv/Connect4-v0 are flattened: Box (6, 7) becomes (42,) float32" in said[0]
    assert "--no-flatten" in said[0]


@pytest.mark.parametrize(
    "text",
    [
        MAKE,
        DENSE + "from torch import nn\nfirst = nn.Conv2d\n" + MAKE,
        DENSE + MAKE.replace("ID", "'CartPole-v1'"),
    ],
)
def test_the_others_get_them_as_they_are(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run(script(tmp_path, text))
    assert names["space"].shape in ((6, 7), (4,))
    assert capsys.readouterr().err == ""


def test_the_user_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script(tmp_path, DENSE + MAKE + "print(space.shape)\n")
    assert main(["--no-flatten", str(path)]) == 0
    path = script(tmp_path, MAKE + "print(space.shape)\n")
    assert main(["--flatten", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["(6, 7)", "(42,)"]
    assert "are flattened" in printed.err


def test_pictures_stay_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    picture = gym.spaces.Box(0, 255, (64, 48, 3), np.uint8)
    env = gym.Env[object, object]()
    env.observation_space = picture
    assert Flattening(dense=True).apply(env, "acme/Film-v0") is env
    assert "are pictures, (64, 48, 3), and stay so" in capsys.readouterr().err
    assert Flattening(True).apply(env, "acme/Film-v0").observation_space.shape == (64 * 48 * 3,)
    assert is_picture(gym.spaces.Box(0, 255, (4, 84, 84), np.uint8))
    assert not is_picture(gym.spaces.Box(0, 255, (8, 8, 12), np.uint8))
    assert not is_picture(gym.spaces.Box(0, 1, (84, 84), np.uint8))


def test_spaces_that_have_no_shape() -> None:
    space = gym.spaces.Dict(
        {"board": gym.spaces.Box(-1, 1, (2, 2), np.int8), "turn": gym.spaces.Discrete(3)}
    )
    env = gym.Env[object, object]()
    env.observation_space = space
    flat = FlatObservation(env)
    seen = flat.observation({"board": np.array([[1, 0], [-1, 0]], np.int8), "turn": 2})
    assert seen.tolist() == [1, 0, -1, 0, 0, 0, 1]
    assert seen in flat.observation_space


def test_what_cannot_be_flattened_is_left_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    env = gym.Env[object, object]()
    env.observation_space = gym.spaces.Sequence(gym.spaces.Discrete(3))
    assert Flattening(dense=True).apply(env, "acme/List-v0") is env
    assert "cannot be flattened" in capsys.readouterr().err


def test_flattening_reaches_workers() -> None:
    flattening = pickle.loads(pickle.dumps(Flattening(dense=True)))
    with gymnasium_029({"opponent": "random"}, flattening=flattening):
        envs = gym.vector.AsyncVectorEnv([lambda: gym.make("openenv/Connect4-v0")] * 2)
        assert envs.reset(seed=1)[0].shape == (2, 42)
        envs.close()


def test_lines_that_numpy_refuses_are_adapted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = script(
        tmp_path,
        "import numpy as np\n"
        "class Buffer:\n"
        "    def __init__(self):\n"
        "        self.buffer_actions, self.buffer_rewards = np.zeros(3, int), np.zeros(3)\n"
        "    def add(self, idx, action, reward):\n"
        "        self.buffer_actions[idx] = action\n"
        "        self.buffer_rewards[idx] = reward\n"
        "buffer = Buffer()\n"
        "buffer.add(1, np.array([5]), np.array([0.5]))\n"
        "buffer.add(2, np.array([7]), 2.0)\n",
    )
    buffer = run(path)["buffer"]
    assert buffer.buffer_actions.tolist() == [0, 5, 7]
    assert buffer.buffer_rewards.tolist() == [0.0, 0.5, 2.0]
    assert "script.py has lines that today's numpy refuses; they were adapted: 6, 7." in (
        capsys.readouterr().err
    )


def test_a_repository_with_cleanrl_utils_need_not_be_installed(tmp_path: Path) -> None:
    (tmp_path / "cleanrl_utils").mkdir()
    (tmp_path / "cleanrl_utils" / "buffers.py").write_text("SIZE = 5\n")
    (tmp_path / "cleanrl").mkdir()
    path = script(tmp_path / "cleanrl", "from cleanrl_utils.buffers import SIZE\n")
    assert run(path)["SIZE"] == 5
