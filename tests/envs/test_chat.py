from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import gymnasium
import httpx
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv
from pydantic import ValidationError

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.errors import (
    ActionError,
    EnvironmentFailedError,
    OpenEnvGymError,
    OptionError,
    RegistryError,
)
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Open
from openenv_gym_envs.chat import ChatAction, ChatEnv, ChatTextAction, ChatTextEnv
from openenv_gym_envs.chat.tokenizer import ChatTokenizer, load
from tests.servers import serving

ID = "openenv/Chat-v0"
HOOKS = "tests.envs.chat_hooks"


@pytest.fixture(scope="module")
def tokenizer() -> ChatTokenizer:
    return load().tokenizer


def said(env: Any, text: str) -> tuple[Any, ...]:
    """A step in which the agent says a text, and closes it."""
    tokenizer = load().tokenizer
    numbers = [*tokenizer.encode(text), tokenizer.special["<|im_end|>"]]
    step: tuple[Any, ...] = env.step(np.array(numbers))
    return step


def contents(observation: Any) -> list[str]:
    return [message["content"] for message in observation["messages"]]


def test_begins_empty_and_never_ends_as_in_openenv(tokenizer: ChatTokenizer) -> None:
    env = gymnasium.make(ID)
    observation, _ = env.reset()
    assert contents(observation) == []
    assert observation["tokens"].tolist() == []
    spoken: list[int] = []
    for text in ("Hello", " there", "!"):
        numbers = tokenizer.encode(text)
        spoken += numbers
        observation, reward, terminated, truncated, _ = env.step(np.array(numbers))
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert observation["tokens"].tolist() == spoken
    assert contents(observation) == ["Hello", " there", "!"]
    assert {message["role"] for message in observation["messages"]} == {2}
    env.close()


def test_what_the_agent_says_stays_token_by_token(tokenizer: ChatTokenizer) -> None:
    """Though the tokenizer would write the text in fewer tokens."""
    env = gymnasium.make(ID)
    env.reset()
    letters = [tokenizer.encode(letter)[0] for letter in "Hello"]
    observation, *_ = env.step(np.array(letters))
    assert observation["tokens"].tolist() == letters
    assert contents(observation) == ["Hello"]
    env.close()


@pytest.mark.parametrize("transport", ["inprocess", "process", "http", "websocket"])
def test_no_tokens_are_no_action(transport: str) -> None:
    env = gymnasium.make(ID, transport=transport)
    env.reset()
    with pytest.raises(ActionError, match=r"not in the action space NonEmpty.*not stepped"):
        env.step(np.zeros(0, np.int64))
    observation, *_ = env.step(np.array([5]))  # the episode goes on
    assert observation["tokens"].tolist() == [5]
    env.close()


def test_no_tokens_are_no_action_of_the_model() -> None:
    for none in ([], [[]], np.zeros(0, np.int64)):
        with pytest.raises(ValidationError, match="at least 1 item"):
            ChatAction(tokens=none)
    with pytest.raises(ValidationError, match="list of tokens"):
        ChatAction(tokens="Hello")


@pytest.mark.parametrize("tokens", [[[1, 2], [3]], [[1, 2, 3]], np.array([[1, 2, 3]])])
def test_nested_tokens_are_one_row_as_in_openenv(tokens: Any) -> None:
    assert np.asarray(ChatAction(tokens=tokens).tokens).tolist() == [1, 2, 3]


def test_tokens_of_openenvs_clients() -> None:
    with serving("chat") as served, httpx.Client(base_url=served.url("http"), timeout=60) as client:
        client.post("/reset")
        for none in ([], [[]]):
            refused = client.post("/step", json={"action": {"tokens": none}})
            reported = refused.json()["detail"][0]
            assert (refused.status_code, reported["type"]) == (422, "too_short")
            assert reported["loc"] == ["tokens"]
        said = client.post("/step", json={"action": {"tokens": [[1, 2], [3]]}}).json()
        assert said["observation"]["tokens"] == [1, 2, 3]
        tokens = client.get("/schema").json()["action"]["properties"]["tokens"]
    bounds = {"type": "integer", "minimum": 0, "maximum": 2047}
    assert tokens == {"title": "Tokens", "type": "array", "items": bounds, "minItems": 1}


def test_a_whole_conversation(tokenizer: ChatTokenizer) -> None:
    env = gymnasium.make(
        ID, system_prompt="Be kind.", prompts=["Hi!"], reply=["And you?"], generation_prompt=True
    )
    observation, _ = env.reset(seed=0)
    begun = (
        "<|im_start|>system\nBe kind.<|im_end|>\n"
        "<|im_start|>user\nHi!<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert tokenizer.decode(observation["tokens"], special=True) == begun
    observation, *_, terminated, truncated, info = said(env, "I am fine.")
    assert (terminated, truncated, info) == (False, False, {})
    assert tokenizer.decode(observation["tokens"], special=True) == (
        f"{begun}I am fine.<|im_end|>\n<|im_start|>user\nAnd you?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    observation, *_, terminated, truncated, info = said(env, "Me too.")
    assert (terminated, truncated) == (True, False)
    assert "ended the conversation" in info["reason"]
    state = env.unwrapped.state()  # type: ignore[attr-defined]
    assert [one["role"] for one in state["history_messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert [*itertools.chain(*state["history_tokens"])] == observation["tokens"].tolist()
    assert state["step_count"] == 2
    env.close()


def test_tokens_are_those_of_the_template_as_a_whole(tokenizer: ChatTokenizer) -> None:
    """An agent that closes its messages gets what a chat template makes of the conversation."""
    env = gymnasium.make(ID, system_prompt="S", prompts=["P"], reply=["R"], generation_prompt=True)
    env.reset(seed=0)
    observation, *_ = said(env, "A")
    whole = "".join(
        f"<|im_start|>{role}\n{text}<|im_end|>\n"
        for role, text in (("system", "S"), ("user", "P"), ("assistant", "A"), ("user", "R"))
    )
    expected = tokenizer.encode_template(whole + "<|im_start|>assistant\n")
    assert observation["tokens"].tolist() == expected
    env.close()


def test_a_message_that_the_agent_leaves_open_is_closed(tokenizer: ChatTokenizer) -> None:
    env = gymnasium.make(ID, reply=["R"], generation_prompt=True)
    env.reset()
    observation, *_ = env.step(np.array(tokenizer.encode("open")))
    text = tokenizer.decode(observation["tokens"], special=True)
    assert text.startswith("<|im_start|>assistant\nopen<|im_end|>\n<|im_start|>user\nR<|im_end|>")
    env.close()


def test_prompts_are_drawn_by_the_seed() -> None:
    env = gymnasium.make(ID, prompts=[str(number) for number in range(50)])
    first = [contents(env.reset(seed=seed)[0]) for seed in range(10)]
    assert first == [contents(env.reset(seed=seed)[0]) for seed in range(10)]
    assert len({tuple(one) for one in first}) > 3
    env.close()


def test_user_that_is_a_function() -> None:
    env = gymnasium.make(ID, reply=f"{HOOKS}:count", mode="text")
    runs = []
    for _ in range(2):
        env.reset(seed=5)
        ended = [env.step("x")[2] for _ in range(3)]
        *_, terminated, _, info = env.step("y")
        assert (ended, terminated) == ([False] * 3, True)
        runs.append([one["content"] for one in info["messages"] if one["role"] == "user"])
    assert runs[0] == runs[1]
    assert [text.split()[0] for text in runs[0]] == ["1", "3", "5"]
    env.close()


def test_reward_function() -> None:
    env = gymnasium.make(ID, reward_fn=f"{HOOKS}:length", mode="text", reply=["a"])
    env.reset()
    assert env.step("hello")[1] == 0.5
    assert env.step("")[1] == 0.0
    env.close()


def test_answer_that_is_no_unicode_text() -> None:
    env = gymnasium.make(ID, reply=f"{HOOKS}:surrogate", mode="text")
    env.reset()
    observation, *_, info = env.step("x")
    assert info["messages"][-1]["content"] == "?!"
    assert env.observation_space.contains(observation)
    env.close()


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"reply": f"{HOOKS}:nothing_to_read"}, "reply returned 3, a int"),
        ({"reward_fn": f"{HOOKS}:no_number"}, "reward_fn returned 'much', a str"),
    ],
)
def test_functions_that_give_what_they_must_not(options: dict[str, str], reported: str) -> None:
    env = gymnasium.make(ID, mode="text", **options)
    env.reset()
    with pytest.raises(EnvironmentFailedError, match=reported):
        env.step("x")
    env.reset()
    env.close()


def test_what_is_said_is_cut_at_the_limit(tokenizer: ChatTokenizer) -> None:
    env = gymnasium.make(ID, max_tokens=16)
    env.reset()
    observation, *_, terminated, truncated, info = env.step(np.arange(100, 120))
    assert (terminated, truncated) == (False, True)
    assert observation["tokens"].tolist() == list(range(100, 116))
    assert "max_tokens" in info["reason"]
    assert contents(observation) == [tokenizer.decode(range(100, 116))]
    env.close()


def test_limits_truncate() -> None:
    env = gymnasium.make(ID, max_tokens=16)
    env.reset()
    assert [env.step(np.full(8, 99))[3] for _ in range(2)] == [False, True]
    env.close()
    env = gymnasium.make(ID, max_tokens=24, reply=["word " * 10])
    env.reset()
    observation, *_, truncated, info = env.step(np.full(8, 99))
    assert truncated
    assert "answer did not fit" in info["reason"]
    assert len(observation["messages"]) == 1
    env.close()
    env = gymnasium.make(ID, max_messages=3)
    env.reset()
    assert [env.step(np.full(2, 99))[3] for _ in range(3)] == [False, False, True]
    env.close()
    env = gymnasium.make(ID, max_tokens=24, mode="text")
    env.reset()
    observation, *_, truncated, _ = env.step("long " * 100)
    assert truncated
    assert env.observation_space.contains(observation)
    env.close()


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"mode": "text", "generation_prompt": True}, "generation_prompt is for mode='tokens'"),
        ({"chat_template": "{% for"}, "chat_template is not a valid template"),
        ({"chat_template": "{{ raise_exception('no user') }}", "prompts": ["x"]}, "no user"),
        ({"chat_template": "{{ messages.append(1) }}", "prompts": ["x"]}, "SecurityError"),
        (
            {"chat_template": "{{ ''.__class__.__mro__ }}", "prompts": ["x"]},
            "SecurityError",
        ),
        ({"prompts": ["word " * 100], "max_tokens": 32}, "not fit in max_tokens"),
        ({"system_prompt": "word " * 100, "max_tokens": 32}, "the system's"),
        ({"max_tokens": 1_000_000}, "use at most max_tokens="),
        ({"tokenizer": "/nowhere/tokenizer.json"}, "cannot be read"),
        ({"tokenizer": "no-such/tokenizer"}, "not in the cache"),
        ({"prompts": []}, "prompts"),
        ({"reply": []}, "reply"),
    ],
)
def test_wrong_options(options: dict[str, Any], reported: str) -> None:
    with pytest.raises(OptionError, match=reported):
        gymnasium.make(ID, **options)


def test_unknown_functions() -> None:
    with pytest.raises(RegistryError, match="no module"):
        gymnasium.make(ID, reply="nowhere_at_all:function")
    with pytest.raises(RegistryError, match="has no nobody"):
        gymnasium.make(ID, reward_fn=f"{HOOKS}:nobody")


@pytest.mark.parametrize("option", ["tokenizer", "chat_template", "reply", "reward_fn"])
def test_what_names_code_or_files_is_for_the_owner(option: str) -> None:
    session = Session("chat", owner=False)
    with pytest.raises(OptionError, match="owner of the server alone"):
        session.handle(Open(None, {option: "x"}, None))


def test_text_in_gymnasiums_own_vector_environment() -> None:
    """Of processes, with shared memory."""

    def make() -> Any:
        return gymnasium.make(ID, mode="text", prompts=["Hello, 🌍!", "やあ"], reply=["Go on."])

    envs = AsyncVectorEnv([make, make], shared_memory=True)
    alone = make()
    try:
        observations, _ = envs.reset(seed=[1, 2])
        assert observations[0] == alone.reset(seed=1)[0]
        observations, *_ = envs.step(("first é", "second"))
        assert observations[0] == alone.step("first é")[0]
        assert "second<|im_end|>\n<|im_start|>user\nGo on." in observations[1]
    finally:
        envs.close()
        alone.close()


def test_vector_environment_of_tokens() -> None:
    envs = gymnasium.make_vec(ID, num_envs=3, reply=["a", "b"])
    envs.action_space.seed(0)
    envs.reset(seed=0)
    for _ in range(4):
        observations, *_ = envs.step(envs.action_space.sample())
    assert len(observations["tokens"]) == 3
    assert observations["tokens"][0].dtype == np.int64
    envs.close()


def test_typed_clients(tokenizer: ChatTokenizer) -> None:
    with ChatEnv(system_prompt="S") as env:
        first = env.reset(seed=1).observation
        assert [message.role for message in first.messages] == ["system"]
        result = env.step(ChatAction(tokens=tokenizer.encode("Hello")))
        assert result.observation.messages[-1].content == "Hello"
        assert env.state().history_messages[0].content == "S"
        assert env.env.metadata["vocabulary"] == 2048
        assert env.env.metadata["special"] == tokenizer.special
    with ChatTextEnv(mode="text") as talk:
        talk.reset()
        observation = talk.step(ChatTextAction(message="Hello")).observation
        assert observation.text == "<|im_start|>assistant\nHello<|im_end|>\n"
        assert observation.messages[0].role == "assistant"


def test_token_outside_of_the_vocabulary_is_refused() -> None:
    env = gymnasium.make(ID)
    env.reset()
    for wrong in (np.array([2048]), np.array([-1]), np.array([0.5])):
        with pytest.raises(OpenEnvGymError, match="not in the action space"):
            env.unwrapped.step(wrong)
    env.step(np.array([2047]))
    env.close()


def test_render() -> None:
    env = gymnasium.make(ID, mode="text", prompts=["Hi!"], render_mode="ansi")
    env.reset(seed=0)
    env.step("Hello")
    assert env.render() == "user: Hi!\nassistant: Hello\n"
    env.close()


def test_import_is_quiet() -> None:
    """The package itself needs neither tokenizers nor jinja2, as a client has neither."""
    code = (
        "import sys, openenv_gym_envs.chat; "
        "assert not {'tokenizers', 'jinja2', 'transformers'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=250)
