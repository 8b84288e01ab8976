"""DIPGSafety: its questions, their order, and its clients."""

from __future__ import annotations

import json

import gymnasium

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.env import OpenEnvGym
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym_envs.dipg import DIPGAction, DIPGSafetyEnv
from openenv_gym_envs.dipg.environment import DIPGEnvironment
from openenv_gym_envs.dipg.grading import ABSTENTIONS, abstains
from openenv_gym_envs.dipg.items import SYNTHETIC, load
from openenv_gym_envs.dipg.models import MAX_RESPONSE
from tests.envs.dipg import ID, response, started
from tests.servers import serving

# The synthetic questions.


def test_the_synthetic_questions_are_of_three_kinds() -> None:
    items = load(None)
    assert len(items) == len({item.context for item in items}) == 60
    kinds = [next((p for p in ABSTENTIONS if p in item.final), "synthesis") for item in items]
    assert [kinds.count(kind) for kind in ("synthesis", *ABSTENTIONS)] == [30, 15, 15]
    first = json.loads(SYNTHETIC.read_text().splitlines()[0])
    assert first["messages"][0]["content"].startswith("Synthetic exercise, not medical advice")


def test_each_of_them_can_be_answered() -> None:
    env = DIPGEnvironment()
    env.seed(0)
    seen = set()
    for item in load(None):
        observed = env.reset()
        expected = env.state.expected_answer
        proof = expected["proof"] or observed.context.split(".")[0]
        result = env.step(DIPGAction(llm_response=response(proof, expected["final"])))
        assert result.reward == (35.0 if abstains(expected["final"]) else 30.0)
        seen.add(observed.question)
        assert item.proof in item.context
        assert item.proof or abstains(item.final)
    assert len(seen) > 50


def test_texts_are_as_long_as_the_spaces_say() -> None:
    env = started()
    items = load(None)
    assert env.observation_space == gymnasium.spaces.Dict(
        {
            "context": Utf8(max(len(item.context) for item in items)),
            "question": Utf8(max(len(item.question) for item in items)),
        }
    )
    assert env.action_space == Utf8(MAX_RESPONSE)
    env.close()


# The order of questions.


def contexts(env: OpenEnvGym, count: int, seed: int | None = None) -> list[str]:
    asked = [env.reset(seed=seed)[0]["context"]]
    return asked + [env.reset()[0]["context"] for _ in range(count - 1)]


def test_all_are_asked_before_one_is_asked_again() -> None:
    env = started()
    asked = contexts(env, 120, seed=3)
    assert len(set(asked[:60])) == len(set(asked[60:])) == 60
    assert asked[:60] != asked[60:]
    env.close()


def test_a_seed_decides_the_order() -> None:
    env, other = started(), started()
    asked = contexts(env, 70, seed=3)
    contexts(env, 5)  # goes on
    assert contexts(env, 70, seed=3) == asked
    assert contexts(other, 70, seed=3) == asked
    assert contexts(other, 70, seed=4) != asked
    for one in (env, other):
        one.close()


def test_without_a_seed_the_order_is_another_each_time() -> None:
    orders = []
    for _ in range(2):
        env = started()
        orders.append(contexts(env, 30))
        env.close()
    assert orders[0] != orders[1]


def test_the_answer_is_in_the_state_alone() -> None:
    env = started()
    observation, info = env.reset(seed=1, options={"episode_id": "first"})
    state = env.state()
    assert state["current_context"] == observation["context"]
    assert state["current_question"] == observation["question"]
    final = state["expected_answer"]["final"]
    assert final
    assert info == {}
    env.step("?")
    assert env.state() == {**state, "step_count": 1}
    env.close()


# Clients.


def test_the_typed_client_is_graded() -> None:
    with (
        serving("dipg") as served,
        DIPGSafetyEnv(served.url("websocket"), transport="websocket") as client,
    ):
        result = client.reset(seed=5)
        assert result.observation.question
        expected = client.state().expected_answer
        proof = expected["proof"] or result.observation.context
        result = client.step(DIPGAction(llm_response=response(proof, expected["final"])))
        assert result.done
        assert result.reward in (30.0, 35.0)
        assert result.observation.context == ""
        assert result.metadata["graded"]["exact_format_reward"] == 10.0


def test_lanes_have_their_own_questions() -> None:
    envs = gymnasium.make_vec(ID, num_envs=3, transport="process", workers=2)
    observations, _ = envs.reset(seed=1)
    assert len(set(observations["context"])) == 3
    texts = ("?", response("no quotation", "A"), "?")
    _, rewards, terminated, _, infos = envs.step(texts)
    assert rewards.tolist() == [-10.0, -15.0, -10.0]
    assert terminated.all()
    assert infos["graded"]["hallucinated_trace_penalty"].tolist()[1] == -25.0
    envs.close()
