"""Infos of a vector environment: of a dict for each lane, a column for each key; and back.

Under ``_key`` stands which lanes have the key. All is as gymnasium's ``VectorEnv._add_info`` makes
it, except that on the way a list stands where that has an array of objects, which could not travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_PLAIN = (int, float, bool)


def gather(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The infos of all lanes, of those of each."""
    infos: dict[str, Any] = {}
    if not any(rows):
        return infos
    count = len(rows)
    keys = rows[0].keys()
    if all(row.keys() == keys for row in rows):
        for key in keys:
            infos[key] = _column_of(key, [row[key] for row in rows])
            infos[f"_{key}"] = np.ones(count, np.bool_)
        return infos
    for key in dict.fromkeys(key for row in rows for key in row):
        having = [number for number, row in enumerate(rows) if key in row]
        if len(having) == count:
            infos[key] = _column_of(key, [row[key] for row in rows])
            infos[f"_{key}"] = np.ones(count, np.bool_)
        else:
            for number in having:
                add_info(infos, {key: rows[number][key]}, number, count)
    return infos


def _column_of(key: str, values: list[Any]) -> Any:
    """The column of a key that all lanes have."""
    kind = type(values[0])
    if key != "final_obs" and kind is not dict and {*map(type, values)} == {kind}:
        if kind in _PLAIN or issubclass(kind, np.number):
            return np.array(values, kind)
        if kind is not np.ndarray:
            return values
        shape, dtype = values[0].shape, values[0].dtype
        if shape and all(value.shape == shape and value.dtype == dtype for value in values):
            return np.concatenate(values).reshape(len(values), *shape)
    infos: dict[str, Any] = {}
    for row, value in enumerate(values):
        add_info(infos, {key: value}, row, len(values))
    return infos[key]


def add_info(infos: dict[str, Any], info: dict[str, Any], row: int, count: int) -> None:
    """Add the info of one lane to those of all, in place.

    Args:
        infos: Those of all: for each key an array, a list or a dict, and a mask under ``_key``.
        info: Of one lane.
        row: Its row.
        count: Number of rows.
    """
    for key, value in info.items():
        column = infos.get(key)
        if isinstance(value, dict) and key != "final_obs":
            if column is None:
                column = infos[key] = {}
            add_info(column, value, row, count)
        else:
            if column is None:
                column = infos[key] = _column(key, value, count)
            elif isinstance(column, np.ndarray) and not _takes(column, value):
                has = infos[f"_{key}"]
                items = zip(_items(column), has, strict=True)
                column = infos[key] = [item if there else None for item, there in items]
            column[row] = value
        mask = infos.get(f"_{key}")
        if mask is None:
            mask = infos[f"_{key}"] = np.zeros(count, np.bool_)
        mask[row] = True


def _takes(column: np.ndarray[Any, Any], value: Any) -> bool:
    """Return whether a value of another lane can stand in a column of numbers or arrays."""
    if isinstance(value, np.ndarray):
        return value.shape == column.shape[1:] and value.dtype.kind in "biuf"
    return column.ndim == 1 and isinstance(value, (*_PLAIN, np.number, np.bool_))


def _column(key: str, value: Any, count: int) -> Any:
    if key != "final_obs":
        if type(value) in _PLAIN or isinstance(value, np.number):
            return np.zeros(count, type(value))
        if isinstance(value, np.ndarray):
            return np.zeros((count, *value.shape), value.dtype)
    return [None] * count


def merge_infos(parts: list[tuple[dict[str, Any], int]]) -> dict[str, Any]:
    """The infos of all lanes, of those of the workers and their numbers of rows.

    Lists become the arrays of objects that they stand for.
    """
    if len(parts) == 1:
        return {key: _restored(value) for key, value in parts[0][0].items()}
    merged: dict[str, Any] = {}
    total = sum(rows for _, rows in parts)
    first = 0
    for infos, rows in parts:
        for key, value in infos.items():
            if isinstance(value, dict):
                if key not in merged:
                    merged[key] = merge_infos([(p.get(key, {}), n) for p, n in parts])
                continue
            if key not in merged:
                columns = [p[key] for p, _ in parts if key in p]
                shapes = {getattr(column, "shape", (0, None))[1:] for column in columns}
                of_objects = len(shapes) > 1 or any(isinstance(c, list) for c in columns)
                merged[key] = _empty([] if of_objects else value, total)
            column = merged[key]
            if column.dtype == object:
                for row, item in enumerate(_items(value), first):
                    column[row] = item
            else:
                column[first : first + rows] = value
        first += rows
    return merged


def _items(column: Any) -> list[Any]:
    """The items of a column; numbers as the environments gave them: Python's."""
    return column.tolist() if getattr(column, "ndim", 0) == 1 else list(column)


def _empty(value: Any, rows: int) -> Any:
    if isinstance(value, list):
        return np.full(rows, None, object)
    return np.zeros((rows, *value.shape[1:]), value.dtype)


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _restored(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    column = np.full(len(value), None, object)
    for row, item in enumerate(value):
        column[row] = item
    return column


def rows_of(infos: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The infos of a vector environment as one dict for each lane.

    Args:
        infos: A column for each key, and under ``_key`` the lanes that have it.
        count: Number of lanes.
    """
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for key, column in infos.items():
        has = infos.get(f"_{key}")
        if has is None:  # it is such a mask itself
            continue
        if isinstance(column, dict):
            values: Sequence[Any] = rows_of(column, count)
        elif column.dtype.kind in "biuf" and column.ndim == 1 and column.dtype.itemsize == 8:
            values = column.tolist()  # as the environments gave them: Python's
        else:
            values = column
        if np.count_nonzero(has) == count:
            for row, value in zip(rows, values, strict=True):
                row[key] = value
        else:
            for lane in np.flatnonzero(has).tolist():
                rows[lane][key] = values[lane]
    return rows
