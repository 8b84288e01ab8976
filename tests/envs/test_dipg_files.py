"""DIPGSafety: files of questions, and options."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import OptionError
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Open
from openenv_gym_envs.dipg.items import load
from tests.envs.dipg import line, started, written


def tagged(asked: str, answer: str) -> str:
    """In the form of the package openenv-dipg-safety."""
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages})


def test_the_form_of_openenvs_folder(tmp_path: Path) -> None:
    path = written(
        tmp_path / "f",
        line("One.\n\nTwo.", "Why?\nHow?", {"final": "So.", "proof": "Two."}),
        "",
        line(" A ", "B", {"final": "C"}),
        line("A", "B", "plain text"),
        line("A", "B", "42"),
        line("A", "B", '["7"]'),
        line("A", "B", {"final": "C", "proof": None}),
    )
    items = load(path)
    assert [vars(item) for item in items[:2]] == [
        {"context": "One.\n\nTwo.", "question": "Why?\nHow?", "final": "So.", "proof": "Two."},
        {"context": " A ", "question": "B", "final": "C", "proof": ""},
    ]
    assert [item.final for item in items[2:]] == ["plain text", "42", '["7"]', "C"]


def test_the_form_of_the_package(tmp_path: Path) -> None:
    path = written(
        tmp_path / "f",
        tagged("<context>\nA b.\n\nC.</context>\n<question>\nWhy?</question>\nPROOF:\nA b.", "So"),
        tagged("Read.\n<context>A</context> Then: <question>B</question>", '{"final": "C"}'),
    )
    assert [vars(item) for item in load(path)] == [
        {"context": "A b.\n\nC.", "question": "Why?", "final": "So", "proof": "A b."},
        {"context": "A", "question": "B", "final": '{"final": "C"}', "proof": ""},
    ]


@pytest.mark.parametrize(
    ("wrong", "reported"),
    [
        ("{", "it is not valid JSON: Expecting property name"),
        ("[]", "its 'messages' must be a list"),
        (
            '{"messages": [{"content": "A"}]}',
            "its 'messages' must be a list with a question",
        ),
        ('{"messages": ["A", "B"]}', "the 'content' of each message must be a text"),
        ('{"messages": [{"content": "A"}, {"content": 7}]}', "the 'content' of each message"),
        (line("A", "B", "C").replace("\\n\\n", " "), "its context is empty"),
        (line("A", " ", "C"), "its question is empty"),
        (line("A", "B", " "), "its final is empty"),
        (line("A", "B", {"proof": "A"}), "'final' and 'proof' of its answer"),
        (line("A", "B", {"final": "A", "proof": ["A"]}), "'final' and 'proof' of its answer"),
        (tagged("<context>A</context><question>B", "C"), "<context>...</context> or"),
        (tagged("<context>A</context><question> </question>", "C"), "its question is empty"),
        (line("\ud800", "B", "C"), "it has half a surrogate pair"),
    ],
)
def test_a_line_that_will_not_do(wrong: str, reported: str, tmp_path: Path) -> None:
    path = written(tmp_path / "own.jsonl", line("A", "B", "C"), wrong)
    with pytest.raises(OptionError) as caught:
        started(dataset=path)
    assert f"{path}, line 2: {reported}" in str(caught.value)
    assert caught.value.fields["line"] == 2


def test_files_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"'/no/such/file' cannot be read: No such file.*cont"):
        started(dataset="/no/such/file")
    with pytest.raises(OptionError, match="cannot be read: Is a directory"):
        started(dataset=str(tmp_path))
    with pytest.raises(OptionError, match="has no item"):
        started(dataset=written(tmp_path / "empty", "", " "))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(OptionError, match="cannot be read: 'utf-8' codec"):
        started(dataset=str(tmp_path / "binary"))


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path / "f", line("A", "B", "C"))
    assert load(path) is load(path)
    os.utime(written(tmp_path / "f", line("X", "Y", "Z")), ns=(1, 1))
    assert load(path)[0].context == "X"


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"channel_end": ""}, "none is empty or part of another"),
        ({"proof_channel_start": "<|end|>"}, "cannot be distinguished"),
        ({"proof_overlap": 1.5}, "proof_overlap"),
        ({"exact_format_reward": float("nan")}, "exact_format_reward"),
        # Which OpenEnv takes, and does nothing with.
        ({"conflict_reward": 10.0}, "'conflict_reward' is unknown"),
    ],
)
def test_options_that_will_not_do(options: dict[str, Any], reported: str) -> None:
    with pytest.raises(OptionError, match=reported):
        started(**options)


def test_files_of_the_host_are_for_its_owner(tmp_path: Path) -> None:
    session = Session("dipg", owner=False)
    with pytest.raises(OptionError, match="'dataset' is for the owner of the server alone"):
        session.handle(Open("dipg", {"dataset": "/etc/passwd"}, None))
