"""Infos of lanes as columns: what some lanes give as None."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openenv_gym.wire.vector_infos import gather, merge_infos, rows_of


@pytest.mark.parametrize("values", [[None, 3, 4], [3, None, 4], [3, 4, None], [None, None, None]])
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_none_among_numbers(values: list[int | None], cut: int) -> None:
    """Whatever lane it is in, and however the lanes are shared among workers."""
    rows: list[dict[str, Any]] = [{"last": value} for value in values]
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    infos = merge_infos([(gather(part), len(part)) for part in parts])
    assert infos["last"].tolist() == values
    assert infos["_last"].tolist() == [True] * 3
    assert rows_of(infos, 3) == rows


def test_none_in_one_lane_and_nothing_in_another() -> None:
    rows: list[dict[str, Any]] = [{"last": 3}, {}, {"last": None}]
    infos = merge_infos([(gather(rows), 3)])
    assert infos["last"].tolist() == [3, None, None]
    assert infos["_last"].tolist() == [True, False, True]
    assert rows_of(infos, 3) == rows


@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize(
    "values",
    [[3, "three", None], [1.5, [1, 2], 2], [np.zeros(2), np.ones(3), np.zeros(2)]],
)
def test_values_of_several_kinds(values: list[Any], cut: int) -> None:
    """gymnasium fails at these; the environments of a server that is not ours may give them."""
    rows: list[dict[str, Any]] = [{"last": value} for value in values]
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    infos = merge_infos([(gather(part), len(part)) for part in parts])
    for found, value in zip(infos["last"], values, strict=True):
        assert np.array_equal(found, value) if isinstance(value, np.ndarray) else found == value
