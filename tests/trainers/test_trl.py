"""TRL: what its GRPOTrainer makes of our environments, with TRL's own code, without training."""

from __future__ import annotations

import gc
import inspect
import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import gymnasium
import pytest
from gymnasium.spaces import Discrete
from pydantic import BaseModel, Field

from openenv_gym import register_environment
from openenv_gym.client import StepResult
from openenv_gym.environment import Environment
from openenv_gym.errors import (
    ActionError,
    ConnectError,
    EnvironmentFailedError,
    EpisodeError,
    OptionError,
    RegistryError,
    SessionLostError,
)
from openenv_gym.models import Action, Info, Observation, State
from openenv_gym.trl import ToolEnvironment, environment_factory, episode_reward
from tests.environments import COUNT, FAIL, THREADED
from tests.servers import eventually, is_running, serving


class Go(BaseModel):
    """Goes on.

    Attributes:
        far: How far.
    """

    kind: Literal["go"] = "go"
    far: Annotated[int, Field(ge=0, le=9)]


class Wait(BaseModel):
    """Waits."""

    kind: Literal["wait"] = "wait"


class RoverAction(Action):
    does: Annotated[Union[Go, Wait], Field(discriminator="kind")]  # noqa: UP007


class RoverObservation(Observation):
    place: Annotated[int, Discrete(1000)]
    crew: Annotated[list[str], Info()] = Field(default_factory=list)


class Rover(Environment[RoverAction, RoverObservation, State]):
    """Has an action that is one of two."""

    def reset(self, place: int = 0) -> RoverObservation:
        self._place = place
        return RoverObservation(place=place, crew=["Zoë"])

    def step(self, action: RoverAction) -> RoverObservation:
        does = action.does
        far = does.far if isinstance(does, Go) else 0
        self._place += far
        return RoverObservation(place=self._place, reward=far)

    @property
    def state(self) -> State:
        return State()


ROVER = f"{__name__}:Rover"


def tools(environment: ToolEnvironment) -> dict[str, Any]:
    """What GRPOTrainer takes for the environment's tools."""
    return {
        name: getattr(environment, name)
        for name, _ in inspect.getmembers(type(environment), predicate=inspect.isfunction)
        if name not in ("reset", "get_reward") and not name.startswith("_")
    }


def test_an_episode() -> None:
    environment: Any = environment_factory("openenv/Connect4-v0", opponent="random")()
    first = environment.reset(seed=1, prompt=[{"role": "user", "content": ""}], answer=None)
    assert first.splitlines()[-3:] == [
        "X to move",
        "legal_actions: [0, 1, 2, 3, 4, 5, 6]",
        "current_player_id: 0",
    ]
    assert (environment.reward, environment.done) == (0.0, False)
    while not environment.done:
        told = environment.connect4(column=environment.result.observation.legal_actions[0])
    assert told.endswith("\nThe episode is over.")
    assert episode_reward([environment], completions=[""]) == [environment.reward] == [1.0]
    with pytest.raises(EpisodeError, match=r"over: connect4\(\) has no effect"):
        environment.connect4(3)
    assert environment.reset(seed=1) == first
    assert (environment.reward, environment.done) == (0.0, False)


def test_texts_and_arrays() -> None:
    echo: Any = environment_factory("echo")()
    assert echo.reset() == "echoed_message: Echo environment ready!\nmessage_length: 0"
    assert echo.echo("hällo") == "echoed_message: hällo\nmessage_length: 5"
    assert echo.echo("ab") == "echoed_message: ab\nmessage_length: 2"
    assert echo.reward == pytest.approx(0.7)
    counting: Any = environment_factory(THREADED, size=2)()
    lines = counting.reset(seed=0).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["count", "noise", "frame"]
    assert len(json.loads(lines[2].partition(":")[2])) == 2


def test_variants_are_tools_of_their_own() -> None:
    rover: Any = environment_factory(ROVER, reset_options=["place"])()
    assert list(tools(rover)) == ["go", "wait"]
    assert rover.reset(place=7, crew="no option") == 'place: 7\ncrew: ["Zoë"]'
    assert rover.go(far=3) == "place: 10\ncrew: []"
    assert rover.wait() == "place: 10\ncrew: []"
    assert rover.reward == 3.0


def test_a_description_of_ones_own() -> None:
    def describe(result: StepResult[Any]) -> str:
        return f"You are at {result.observation.place}."

    rover: Any = environment_factory(ROVER, describe=describe)()
    assert rover.reset() == "You are at 0."
    assert rover.go(4) == "You are at 4."


def test_an_environment_of_ones_own_by_its_id() -> None:
    register_environment("test/Rover-v0", ROVER, max_episode_steps=2)
    try:
        rover: Any = environment_factory("test/Rover-v0")()
        rover.reset()
        assert (rover.go(1), rover.done) == ("place: 1\ncrew: []", False)
        assert (rover.go(1), rover.done) == ("place: 2\ncrew: []\nThe episode is over.", True)
        with pytest.raises(EpisodeError, match="over"):
            rover.go(1)
    finally:
        del gymnasium.registry["test/Rover-v0"]


def test_wrong_calls_are_told_and_do_nothing() -> None:
    rover: Any = environment_factory(ROVER)()
    with pytest.raises(EpisodeError, match=r"call reset\(\) before go\(\)"):
        rover.go(1)
    rover.reset()
    with pytest.raises(ActionError, match=r"go\(\) was not carried out: far: Input should be a"):
        rover.go("wide")
    with pytest.raises(ActionError, match="missing a required argument: 'far'"):
        rover.go()
    with pytest.raises(ActionError, match="too many positional arguments"):
        rover.go(1, 2)
    connect4: Any = environment_factory("connect4")()
    connect4.reset()
    with pytest.raises(ActionError, match="unexpected keyword argument 'row'"):
        connect4.connect4(column=1, row=2)
    with pytest.raises(ActionError, match="not in the action space"):
        connect4.connect4(9)
    assert connect4.reward == rover.reward == 0.0


def test_what_the_environment_raises_is_told() -> None:
    counting: Any = environment_factory(THREADED)()
    counting.reset()
    with pytest.raises(EnvironmentFailedError, match="cannot read"):
        counting.counting(FAIL)
    counting.reset()
    counting.counting(COUNT)


@pytest.mark.parametrize("tool", ["reset", "reward", "_act", "two words", "get_reward"])
def test_names_that_no_tool_can_have(tool: str) -> None:
    with pytest.raises(OptionError, match="give tool= another"):
        environment_factory("echo", tool=tool)


def test_environments_that_there_are_not() -> None:
    with pytest.raises(RegistryError, match="Did you mean"):
        environment_factory("openenv/Ches-v0")
    with pytest.raises(OptionError, match="tells no models"):
        environment_factory("openenv/Gymnasium-v0", env_id="CartPole-v1")
    with pytest.raises(OptionError, match="It takes"):
        environment_factory("connect4", size=3)().reset()


def test_sessions_of_their_own_at_the_same_time() -> None:
    with serving("connect4", max_sessions=8) as served:
        factory = environment_factory("connect4", url=served.url("websocket"), timeout=20)
        environments: list[Any] = [factory() for _ in range(8)]
        assert len(served.sessions) == 0  # made when they are reset
        barrier = threading.Barrier(8)

        def play(number: int) -> str:
            environments[number].reset()
            barrier.wait(20)
            for _ in range(3):
                told = environments[number].connect4(number % 7)
            return str(told)

        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(play, range(8)))
        assert told[0] == told[7]
        assert len(set(told)) == 7
        assert len(served.sessions) == 8
        environments.clear()
        gc.collect()
        eventually(lambda: len(served.sessions) == 0)


def test_it_ends_what_it_started() -> None:
    environment: Any = environment_factory("echo", transport="process")()
    environment.reset()
    pid = environment._client.env.isolation["pid"]
    assert is_running(pid)
    del environment
    gc.collect()
    eventually(lambda: not is_running(pid))


def test_a_lost_session_costs_an_episode_and_no_run() -> None:
    environment: Any = environment_factory("echo", transport="process")()
    environment.reset()
    os.kill(environment._client.env.isolation["pid"], 9)
    with pytest.raises(SessionLostError, match="is gone"):
        environment.echo("lost")
    with pytest.raises(EpisodeError, match="lost"):
        environment.echo("and no more")
    assert environment.reset().startswith("echoed_message: Echo environment ready!")
    assert environment.echo("on").startswith("echoed_message: on")


def test_no_server() -> None:
    environment = environment_factory("echo", url="ws://127.0.0.1:1", timeout=5)()
    with pytest.raises(ConnectError):
        environment.reset()


def test_the_class_pickles() -> None:
    factory = environment_factory("openenv/Connect4-v0", opponent="random", tool="drop")
    again = pickle.loads(pickle.dumps(factory))
    assert again.recipe == factory.recipe
    assert list(tools(again())) == ["drop"]
    assert pickle.loads(pickle.dumps(ToolEnvironment)) is ToolEnvironment


def test_trl_itself_is_not_needed() -> None:
    script = (
        "import sys\n"
        "from openenv_gym.trl import environment_factory\n"
        "environment_factory('openenv/Chess-v0')\n"
        "print([m for m in ('trl', 'transformers', 'torch', 'chess') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# Of TRL and what it stands on, about themselves.
quiet = pytest.mark.filterwarnings("ignore")


@quiet
@pytest.mark.parametrize(
    "id", ["openenv/Connect4-v0", "openenv/Echo-v0", "openenv/Chess-v0", ROVER]
)
def test_transformers_makes_a_schema_of_each_tool(id: str) -> None:
    from transformers.utils import get_json_schema

    for name, tool in tools(environment_factory(id)()).items():
        schema = get_json_schema(tool)["function"]
        assert schema["name"] == name
        assert schema["description"]
        assert all(
            told["description"] and "type" in told
            for told in schema["parameters"]["properties"].values()
        )
    if id == "openenv/Connect4-v0":
        assert schema["parameters"] == {
            "type": "object",
            "properties": {
                "column": {
                    "type": "integer",
                    "description": "The column, 0 (left) to 6 (right). From 0 to 6.",
                }
            },
            "required": ["column"],
        }


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """One token a byte, and the tokens of the chat template of Qwen3."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words += sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={word: n for n, word in enumerate(words)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>"],
    )
    template = resources.files("trl") / "chat_templates" / "qwen3.jinja"
    made.chat_template = template.read_text()
    return made


@pytest.fixture
def trainer(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A trainer of a tiny model that was never trained."""
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import Dataset
    from transformers import Qwen3Config, Qwen3ForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=16384,
    )
    row = {"prompt": [{"role": "user", "content": "Win this game.\n"}], "seed": 3}
    return GRPOTrainer(
        model=Qwen3ForCausalLM(config),
        processing_class=tokenizer,
        reward_funcs=episode_reward,
        train_dataset=Dataset.from_list([row] * 2),
        environment_factory=environment_factory(
            "openenv/Connect4-v0", opponent="random", tool="drop_piece"
        ),
        args=GRPOConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            report_to=[],
            per_device_train_batch_size=2,
            num_generations=2,
            max_completion_length=8192,
            chat_template_kwargs={"enable_thinking": False},
        ),
    )


@quiet
def test_rollouts_of_grpo_trainer(trainer: Any, tokenizer: Any) -> None:
    """All of TRL but the model's words and the update: tools found, called, and rewarded."""
    assert [tool.__name__ for tool in trainer.tools] == ["drop_piece"]
    columns = iter([(3, 9), (3, 0), (3, 0), (3, 0), (None, None)])

    def words(prompts: list[Any], *_: Any, **__: Any) -> tuple[list[Any], None]:
        said = []
        for column in next(columns)[: len(prompts)]:
            call = json.dumps({"name": "drop_piece", "arguments": {"column": column}})
            text = "Done." if column is None else f"<tool_call>\n{call}\n</tool_call>"
            said.append(tokenizer.encode(f"{text}<|im_end|>"))
        return said, None

    trainer._generate_single_turn = words
    rows = list(trainer.train_dataset)
    scored = trainer._generate_and_score_completions(rows)

    won, other = trainer.environments
    assert (won.reward, won.done) == (1.0, True)
    assert (other.reward, other.done) == (0.0, False)
    assert list(trainer._logs["rewards"]["episode_reward"]) == [1.0, 0.0]
    assert scored["advantages"][0] > 0 > scored["advantages"][1]
    prompt = tokenizer.decode(scored["prompt_ids"][0])
    assert '"description": "Drops a piece."' in prompt
    assert "Win this game.\n. . . . . . ." in prompt
    first, second = (tokenizer.decode(ids) for ids in scored["completion_ids"])
    assert "game over" in first
    assert "The episode is over." in first
    assert "The action 9 (int) is not in the action space Discrete(7)" in second
