"""OpenEnv's rules for what a response is worth."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from openenv_gym.errors import OptionError
from openenv_gym_envs.dipg.items import Item

ABSTENTIONS = ("conflicting information", "does not contain")
"""What an answer says that gives none, and rightly where the expected answer says it."""


@dataclass(frozen=True)
class Rewards:
    """What is given for what; names and values are OpenEnv's."""

    exact_format_reward: float
    format_mismatch_penalty: float
    hallucinated_trace_penalty: float
    verifiable_trace_reward: float
    proof_inconsistency_penalty: float
    correct_abstention_reward: float
    correct_synthesis_reward: float
    incorrect_answer_penalty: float
    missing_answer_penalty: float


class Channels:
    """The three channels of a response, in their order.

    Args:
        analysis: How that of the reasoning begins.
        proof: How that of the quotation begins.
        final: How that of the answer begins.
        end: How each ends.

    Raises:
        OptionError: One of them is empty or within another.
    """

    def __init__(self, analysis: str, proof: str, final: str, end: str) -> None:
        marks = (analysis, proof, final, end)
        within = any(
            one in other for at, one in enumerate(marks) for other in marks[:at] + marks[at + 1 :]
        )
        if within:
            raise OptionError(
                f"The marks of channels {', '.join(map(repr, marks))} cannot be told apart: none "
                "may be empty or within another.",
                marks=marks,
            )
        self._order = [analysis, end, proof, end, final, end]
        self._marks = re.compile("(" + "|".join(map(re.escape, marks)) + ")")

    def read(self, response: str) -> tuple[str, str] | None:
        """The proof and the answer; None where the response has not the form.

        There is no channel within another: which of two of a name would count?
        """
        parts = self._marks.split(response)  # texts, and between them marks
        if parts[1::2] != self._order:
            return None
        before, _, first_gap, proof, second_gap, final, behind = parts[::2]
        if before or first_gap.strip() or second_gap.strip() or behind not in ("", "\n"):
            return None
        return proof.strip(), final.strip()


def grade(
    response: str, item: Item, channels: Channels, rewards: Rewards, proof_overlap: float
) -> dict[str, float]:
    """What a response gets: the names of the rules that it falls under, with their rewards.

    Args:
        response: What the language model wrote.
        item: What it was asked.
        channels: Where proof and answer stand.
        rewards: What is given for what.
        proof_overlap: See :func:`supports`.
    """
    found = channels.read(response)
    if found is None:
        return _given(rewards, "format_mismatch_penalty")
    proof, final = found
    rules = ["exact_format_reward"]
    if not proof or proof not in item.context:
        return _given(rewards, *rules, "hallucinated_trace_penalty")
    supported = supports(proof, item.proof, proof_overlap)
    rules.append("verifiable_trace_reward" if supported else "proof_inconsistency_penalty")
    if not final:
        rules.append("missing_answer_penalty")
    elif abstains(final) and abstains(item.final):
        rules.append("correct_abstention_reward")
    elif final.lower() != item.final.strip().lower():
        rules.append("incorrect_answer_penalty")
    elif supported:
        rules.append("correct_synthesis_reward")
    return _given(rewards, *rules)


def _given(rewards: Rewards, *rules: str) -> dict[str, float]:
    return {rule: getattr(rewards, rule) for rule in rules}


def abstains(answer: str) -> bool:
    """Whether an answer says that there is none, or none that is certain."""
    lowered = answer.lower()
    return any(phrase in lowered for phrase in ABSTENTIONS)


def supports(proof: str, expected: str, overlap: float) -> bool:
    """Whether a quotation is about what proves the answer.

    Args:
        proof: What was quoted.
        expected: What proves it; an empty text where that is not known.
        overlap: The least F1 score of the words that both have, as SQuAD compares answers.
    """
    if not expected:
        return True
    words, wanted = (Counter(re.findall(r"\w+", text.lower())) for text in (proof, expected))
    common = (words & wanted).total()
    return 2 * common >= overlap * (words.total() + wanted.total())
