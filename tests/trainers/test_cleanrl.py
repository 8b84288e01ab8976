"""CleanRL: scripts of its kind run as they are, and gymnasium is as before when they are done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from openenv_gym.cleanrl import gymnasium_029, main, run

SCRIPTS = Path(__file__).parent / "scripts"
PPO, DQN, ATARI = (str(SCRIPTS / f"{name}_style.py") for name in ("ppo", "dqn", "ppo_atari"))
CONNECT4 = ["--option", "opponent=random", PPO, "--env-id", "openenv/Connect4-v0"]
CATCH = "tests.trainers.games:openenv-test/Catch-v0"

transports = pytest.mark.parametrize("transport", ["inprocess", "websocket"])
# What torch and tensorboard warn of when a script imports them is not ours.
scripts = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts write runs/ and videos/ where they are."""
    monkeypatch.chdir(tmp_path)


def returns_in(printed: str) -> list[float]:
    return [float(found) for found in re.findall(r"episodic_return=\[?(-?[\d.]+)", printed)]


def in_a_process(*words: str, **variables: str) -> str:
    """Runs the command; gives what it printed."""
    ran = subprocess.run(
        [sys.executable, "-m", "openenv_gym.cleanrl", *words],
        capture_output=True,
        text=True,
        timeout=250,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@scripts
def test_ppo_logs_the_same_episodes_over_a_websocket_and_in_processes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(CONNECT4) == 0
    printed = capsys.readouterr().out
    returns = returns_in(printed)
    assert len(returns) >= 5
    assert set(returns) <= {-1.0, 0.0, 1.0}
    assert list(Path("runs").rglob("events.out.tfevents.*"))
    assert printed == in_a_process(*CONNECT4, "--asynchronous", OPENENV_GYM_TRANSPORT="websocket")


@scripts
@transports
def test_dqn_learns_from_the_last_observation_of_a_truncated_episode(
    transport: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--option", "env_id=CartPole-v1", "--option", "max_episode_steps=7"]
    words += ["--option", f"transport={transport}"]
    assert main([*words, DQN, "--env-id", "openenv/Gymnasium-v0", "--num-envs", "2"]) == 0
    printed = capsys.readouterr().out
    assert returns_in(printed) == [7.0] * 56
    assert "truncated_ends=56" in printed


@scripts
@transports
def test_the_wrappers_of_atari_scripts(
    transport: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENENV_GYM_TRANSPORT", transport)
    assert main([ATARI, f"--env-id={CATCH}"]) == 0
    printed = capsys.readouterr().out
    # Statistics are recorded before rewards are clipped.
    assert set(returns_in(printed)) <= {-2.0, 2.0}
    assert len(returns_in(printed)) == 8
    assert "frames=(2, 4, 36, 36) uint8" in printed


@scripts
def test_captured_videos_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("moviepy")
    assert main([*CONNECT4, "--capture-video", "--total-timesteps", "64"]) == 0
    assert list(Path("videos").rglob("*.mp4"))


def test_workers_that_are_started_afresh() -> None:
    script = Path("spawning.py")
    script.write_text(
        "import gymnasium as gym\n"
        "import numpy as np\n"
        "if __name__ == '__main__':\n"
        "    def thunk():\n"
        "        env = gym.make('openenv/Connect4-v0')\n"
        "        return gym.wrappers.FrameStack(gym.wrappers.RecordEpisodeStatistics(env), 2)\n"
        "    envs = gym.vector.AsyncVectorEnv([thunk, thunk], context='spawn')\n"
        "    envs.reset(seed=0)\n"
        "    ended = set()\n"
        "    while len(ended) < 2:\n"
        "        *_, infos = envs.step(np.zeros(2, int))\n"
        "        for lane, info in enumerate(infos.get('final_info', ())):\n"
        "            if info is not None:\n"
        "                ended.add(lane)\n"
        "                print(lane, info['episode'], infos['final_observation'][lane].shape)\n"
        "                print(infos['_final_info'][lane])\n"
        "    envs.close()\n"
    )
    printed = in_a_process("--option", "opponent=random", "spawning.py")
    endings = printed.splitlines()
    assert {line[0] for line in endings[::2]} == {"0", "1"}
    assert all("'r': " in line and line.endswith("(2, 6, 7)") for line in endings[::2])
    assert set(endings[1::2]) == {"True"}


def names_of_gymnasium() -> dict[str, Any]:
    modules = (gym, gym.vector, gym.wrappers)
    return {f"{m.__name__}.{name}": value for m in modules for name, value in vars(m).items()}


def test_gymnasium_is_as_before_afterwards() -> None:
    before = names_of_gymnasium()
    with gymnasium_029({"opponent": "random"}):
        assert names_of_gymnasium() != before
        assert gym.wrappers.FrameStack is gym.wrappers.FrameStackObservation
        with gymnasium_029():  # as a worker that was forked
            pass
        assert gym.wrappers.FrameStack is gym.wrappers.FrameStackObservation
    assert names_of_gymnasium() == before
    with pytest.raises(ZeroDivisionError), gymnasium_029():
        _ = 1 / 0
    assert names_of_gymnasium() == before


def test_the_infos_of_029() -> None:
    with gymnasium_029({"opponent": "self"}):
        envs = gym.vector.SyncVectorEnv(
            lambda: gym.wrappers.RecordEpisodeStatistics(gym.make("openenv/Connect4-v0"))
            for _ in range(2)
        )
        envs.reset(seed=0)
        for column in (0, 1, 0, 1, 0, 1):
            _, _, _, _, infos = envs.step(np.array([column, 2 * column + 1]))
            assert "final_info" not in infos
        observation, reward, terminations, _, infos = envs.step(np.array([0, 6]))
    assert terminations.tolist() == [True, False]
    assert reward.tolist() == [1.0, 0.0]
    assert not observation[0].any()  # of the episode that has begun
    final, running = infos["final_info"]
    assert running is None
    assert infos["_final_info"].tolist() == [True, False]
    assert infos["final_observation"][0][2:, 0].tolist() == [1, 1, 1, 1]
    assert infos["final_observation"][1] is None
    assert infos["_final_observation"].tolist() == [True, False]
    assert final["next_player"] == -1
    assert final["action_mask"].tolist() == [0] * 7
    statistic = final["episode"]["r"]
    assert (statistic.shape, statistic[0], float(statistic), str(statistic)) == ((1,), 1, 1, "[1.]")
    assert int(final["episode"]["l"]) == 7
    assert infos["action_mask"].tolist() == [[1] * 7, [1] * 7]
    envs.close()


def test_wrappers_with_the_arguments_of_029() -> None:
    with gymnasium_029():
        env = gym.wrappers.TransformObservation(gym.make("CartPole-v1"), lambda o: o.clip(-1, 1))
        assert env.observation_space == gym.make("CartPole-v1").observation_space
        env = gym.wrappers.AutoResetWrapper(gym.make("CartPole-v1", max_episode_steps=1))
        env.reset(seed=0)
        observation, _, _, truncated, info = env.step(0)
        assert truncated
        assert not np.array_equal(info["final_observation"], observation)
        assert info["final_info"] == {}
        env.close()


def test_the_wrappers_of_scripts_for_continuous_actions() -> None:
    def thunk() -> gym.Env[Any, Any]:
        env = gym.make("openenv/Gymnasium-v0")
        env = gym.wrappers.FlattenObservation(env)
        env = gym.wrappers.RecordEpisodeStatistics(env)
        env = gym.wrappers.ClipAction(env)
        env = gym.wrappers.NormalizeObservation(env)
        env = gym.wrappers.TransformObservation(env, lambda seen: np.clip(seen, -0.5, 0.5))
        env = gym.wrappers.NormalizeReward(env, gamma=0.99)
        return gym.wrappers.TransformReward(env, lambda reward: np.clip(reward, -10, 10))

    with gymnasium_029({"env_id": "Pendulum-v1", "max_episode_steps": 3}):
        envs = gym.vector.SyncVectorEnv([thunk, thunk])
        assert envs.single_action_space.shape == (1,)
        envs.reset(seed=0)
        for _ in range(3):
            *_, truncations, infos = envs.step(np.full((2, 1), 9.0, np.float32))
    assert truncations.all()
    for info, observation in zip(infos["final_info"], infos["final_observation"], strict=True):
        assert info["episode"]["l"] == [3]
        assert info["episode"]["r"][0] < 0
        assert np.abs(observation).max() <= 0.5
    envs.close()


def test_options_are_for_environments_of_openenv_alone() -> None:
    with gymnasium_029({"env_id": "CartPole-v1"}):
        gym.make("openenv/Gymnasium-v0").close()  # which makes a CartPole-v1 itself
        gym.make("CartPole-v1").close()
        env = gym.make("openenv/Gymnasium-v0", env_id="MountainCar-v0")
        assert env.action_space.n == 3
        env.close()


def test_a_script_runs_as_under_python() -> None:
    Path("beside.py").write_text("NUMBER = 3\n")
    Path("script.py").write_text(
        "import sys\nfrom beside import NUMBER\nname, words = __name__, sys.argv\n"
    )
    argv, path, main_module = sys.argv, sys.path, sys.modules["__main__"]
    names = run("script.py", ["--a", "b"])
    assert (names["NUMBER"], names["name"]) == (3, "__main__")
    assert names["words"] == ["script.py", "--a", "b"]
    assert (sys.argv, sys.path, sys.modules["__main__"]) == (argv, path, main_module)
    Path("failing.py").write_text("raise SystemExit(7)\n")
    with pytest.raises(SystemExit, match="7"):
        main(["failing.py"])
    assert sys.argv is argv


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: script"),
        (["nope.py"], "no script nope.py"),
        (["opponent=random", PPO], "--option NAME=VALUE"),
        (["--option", "opponent", PPO], "write NAME=VALUE"),
        ([PPO, "--option", "opponent=random"], "Write it before the script"),
        ([PPO, "--no-flatten"], "Write it before the script"),
        ([PPO, "--env-id", "openenv/Conect4-v0"], "Did you mean: `Connect4`"),
        ([PPO, "--env-id=openenv/Connect4-v9"], "Connect4"),
        ([PPO, "--env_id", "no_such_module:a/B-v0"], "no_such_module"),
        (["--option", "a=1", PPO, "--env-id", "CartPole-v1"], "--option env_id=CartPole-v1"),
    ],
)
def test_what_is_wrong_is_told_before_the_script_begins(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: Any = main(words)
    except SystemExit as exit_:  # argparse's way
        code = exit_.code
    assert code == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err


def test_without_moviepy_videos_are_refused_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "moviepy", None)
    assert main([*CONNECT4, "--capture-video"]) == 2
    assert 'pip install "openenv-gym[cleanrl]"' in capsys.readouterr().err
