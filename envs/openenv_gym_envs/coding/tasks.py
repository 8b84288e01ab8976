"""Small problems: write a function, which is then called and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A function to write.

    Attributes:
        id: Name of the problem.
        prompt: What to write.
        checks: Statements that raise AssertionError where the function is wrong.
    """

    id: str
    prompt: str
    checks: tuple[str, ...]

    @property
    def check(self) -> str:
        """The code that checks the function in the namespace of the episode."""
        return "\n".join(f"assert {check}" for check in self.checks)


def _problem(id: str, signature: str, prompt: str, *checks: str) -> Problem:
    return Problem(id, f"Write the function {signature}: {prompt}", checks)


_TRAIN = (
    _problem(
        "count-vowels",
        "count_vowels(text)",
        "return how many of its characters are vowels (aeiou, small or capital).",
        "count_vowels('') == 0",
        "count_vowels('Banana') == 3",
        "count_vowels('AEIOU xyz') == 5",
    ),
    _problem(
        "is-palindrome",
        "is_palindrome(text)",
        "return whether its letters and digits read the same backwards, small and capital alike.",
        "is_palindrome('A man, a plan, a canal: Panama') is True",
        "is_palindrome('ab') is False",
        "is_palindrome('') is True",
    ),
    _problem(
        "run-lengths",
        "run_lengths(text)",
        "return a list of (character, count) for each run of equal characters, in order.",
        "run_lengths('') == []",
        "run_lengths('aaab') == [('a', 3), ('b', 1)]",
        "run_lengths('abba') == [('a', 1), ('b', 2), ('a', 1)]",
    ),
    _problem(
        "flatten",
        "flatten(items)",
        "return a flat list of what is in nested lists of any depth.",
        "flatten([1, [2, [3, []]], 4]) == [1, 2, 3, 4]",
        "flatten([]) == []",
        "flatten([[['x']]]) == ['x']",
    ),
    _problem(
        "primes-below",
        "primes_below(n)",
        "return the list of all primes less than n.",
        "primes_below(2) == []",
        "primes_below(12) == [2, 3, 5, 7, 11]",
        "len(primes_below(1000)) == 168",
    ),
    _problem(
        "to-roman",
        "to_roman(n)",
        "return the Roman numeral of an integer from 1 to 3999.",
        "to_roman(4) == 'IV'",
        "to_roman(1994) == 'MCMXCIV'",
        "to_roman(3888) == 'MMMDCCCLXXXVIII'",
    ),
    _problem(
        "merge-sorted",
        "merge_sorted(a, b)",
        "return one sorted list of two sorted lists, which stay as they are.",
        "merge_sorted([1, 4], [2, 3, 5]) == [1, 2, 3, 4, 5]",
        "merge_sorted([], [1]) == [1]",
        "merge_sorted([1, 1], [1]) == [1, 1, 1]",
    ),
    _problem(
        "transpose",
        "transpose(rows)",
        "return the columns of a matrix as lists.",
        "transpose([[1, 2, 3], [4, 5, 6]]) == [[1, 4], [2, 5], [3, 6]]",
        "transpose([]) == []",
        "transpose([[7]]) == [[7]]",
    ),
    _problem(
        "balanced",
        "balanced(text)",
        "return whether the brackets ()[]{} in it are balanced; other characters do not matter.",
        "balanced('a(b[c]{d})') is True",
        "balanced('(]') is False",
        "balanced('((') is False",
    ),
    _problem(
        "word-counts",
        "word_counts(text)",
        "return a dict of how often each word occurs; words are split at blanks, in small letters.",
        "word_counts('') == {}",
        "word_counts('a B b a a') == {'a': 3, 'b': 2}",
    ),
    _problem(
        "digit-sum",
        "digit_sum(n)",
        "return the sum of the decimal digits of an integer, of either sign.",
        "digit_sum(0) == 0",
        "digit_sum(-1234) == 10",
        "digit_sum(999999) == 54",
    ),
    _problem(
        "collatz-steps",
        "collatz_steps(n)",
        "return how many steps of n/2 (even) or 3n+1 (odd) lead from n to 1.",
        "collatz_steps(1) == 0",
        "collatz_steps(6) == 8",
        "collatz_steps(27) == 111",
    ),
    _problem(
        "caesar",
        "caesar(text, shift)",
        "move each letter a-z and A-Z on by shift places in the alphabet, around its end.",
        "caesar('xyz', 3) == 'abc'",
        "caesar('Hello, World!', 5) == 'Mjqqt, Btwqi!'",
        "caesar('abc', -1) == 'zab'",
    ),
    _problem(
        "pascal-row",
        "pascal_row(n)",
        "return row n of Pascal's triangle as a list; row 0 is [1].",
        "pascal_row(0) == [1]",
        "pascal_row(4) == [1, 4, 6, 4, 1]",
        "sum(pascal_row(10)) == 1024",
    ),
    _problem(
        "unique",
        "unique(items)",
        "return a list of the items without repetitions, in the order of their first occurrence.",
        "unique([3, 1, 3, 2, 1]) == [3, 1, 2]",
        "unique([]) == []",
    ),
    _problem(
        "chunks",
        "chunks(items, size)",
        "return a list of lists of so many items each; the last may be shorter.",
        "chunks([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]",
        "chunks([], 3) == []",
    ),
)

_TEST = (
    _problem(
        "longest-run",
        "longest_run(items)",
        "return the length of the longest run of equal items that follow each other.",
        "longest_run([]) == 0",
        "longest_run([1, 1, 2, 2, 2, 1]) == 3",
    ),
    _problem(
        "binary-search",
        "binary_search(items, wanted)",
        "return the index of wanted in a sorted list without repetitions, or -1.",
        "binary_search([1, 3, 5, 9], 5) == 2",
        "binary_search([1, 3, 5, 9], 4) == -1",
        "binary_search([], 1) == -1",
    ),
    _problem(
        "anagrams",
        "anagrams(words)",
        "return a sorted list of sorted lists: groups of two or more words of the same letters.",
        "anagrams(['tea', 'eat', 'tan', 'ate']) == [['ate', 'eat', 'tea']]",
        "anagrams(['a', 'b']) == []",
    ),
    _problem(
        "evaluate-rpn",
        "evaluate_rpn(text)",
        "return the value of a formula in reverse Polish notation with integers and + - *.",
        "evaluate_rpn('2 3 +') == 5",
        "evaluate_rpn('5 1 2 + 4 * + 3 -') == 14",
    ),
)

SPLITS: Mapping[str, Sequence[Problem]] = {"train": _TRAIN, "test": _TEST}
"""The problems of each split."""

TASKS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    split: [
        {"id": problem.id, "index": index, "prompt": problem.prompt}
        for index, problem in enumerate(problems)
    ]
    for split, problems in SPLITS.items()
}
"""What there is to say of each."""
