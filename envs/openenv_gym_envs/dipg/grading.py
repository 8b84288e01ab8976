"""OpenEnv's rules for the reward of a response."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from openenv_gym.errors import OptionError
from openenv_gym_envs.dipg.items import Item

ABSTENTIONS = ("conflicting information", "does not contain")
"""Phrases of an answer that gives none, which is right where the expected answer has one too."""


@dataclass(frozen=True)
class Rewards:
    """The reward of each rule; names and values are OpenEnv's."""

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
        analysis: Mark at the start of the reasoning.
        proof: Mark at the start of the quotation.
        final: Mark at the start of the answer.
        end: Mark at the end of each channel.

    Raises:
        OptionError: A mark is empty or part of another.
    """

    def __init__(self, analysis: str, proof: str, final: str, end: str) -> None:
        marks = (analysis, proof, final, end)
        within = any(
            one in other for at, one in enumerate(marks) for other in marks[:at] + marks[at + 1 :]
        )
        if within:
            raise OptionError(
                f"The channels' marks {', '.join(map(repr, marks))} cannot be distinguished: give "
                "marks of which none is empty or part of another.",
                marks=marks,
            )
        self._order = [analysis, end, proof, end, final, end]
        self._marks = re.compile("(" + "|".join(map(re.escape, marks)) + ")")

    def read(self, response: str) -> tuple[str, str] | None:
        """Return the proof and the answer; None where the response does not have the form.

        A channel within another is not valid: it would be unclear which of two proofs counts.
        """
        parts = self._marks.split(response)  # texts, with the marks between them
        if parts[1::2] != self._order:
            return None
        before, _, first_gap, proof, second_gap, final, behind = parts[::2]
        if before or first_gap.strip() or second_gap.strip() or behind not in ("", "\n"):
            return None
        return proof.strip(), final.strip()


def grade(
    response: str, item: Item, channels: Channels, rewards: Rewards, proof_overlap: float
) -> dict[str, float]:
    """Grade a response: return the names of the rules that apply to it, with their rewards.

    Args:
        response: What the language model wrote.
        item: The question that was asked.
        channels: The channels that hold proof and answer.
        rewards: The reward of each rule.
        proof_overlap: See :func:`supports`.
    """
    found = channels.read(response)
    if found is None:
        return _rewards_of(rewards, "format_mismatch_penalty")
    proof, final = found
    rules = ["exact_format_reward"]
    if not proof or proof not in item.context:
        return _rewards_of(rewards, *rules, "hallucinated_trace_penalty")
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
    return _rewards_of(rewards, *rules)


def _rewards_of(rewards: Rewards, *rules: str) -> dict[str, float]:
    return {rule: getattr(rewards, rule) for rule in rules}


def abstains(answer: str) -> bool:
    """Return whether an answer says that the context gives none, or none that is certain."""
    lowered = answer.lower()
    return any(phrase in lowered for phrase in ABSTENTIONS)


def supports(proof: str, expected: str, overlap: float) -> bool:
    """Return whether a quotation has enough words of the passage that proves the answer.

    Args:
        proof: The quotation.
        expected: The passage that proves the answer; an empty text where it is not known.
        overlap: Least F1 score of the words that both have, as SQuAD compares answers.
    """
    if not expected:
        return True
    words, wanted = (Counter(re.findall(r"\w+", text.lower())) for text in (proof, expected))
    common = (words & wanted).total()
    return 2 * common >= overlap * (words.total() + wanted.total())
