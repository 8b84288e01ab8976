"""A pytest plugin that writes down, while tests run, which there are and how each of them ended.

``.ci/test`` reads it. pytest's own cache is of no use after a hang: it is written when a run ends.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "OPENENV_GYM_TEST_PROGRESS"
"""Environment variable that names the file; each line is a JSON object."""


class Progress:
    """Writes a line for the list of tests, each part of a test, and all that goes wrong."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def write(self, **fields: Any) -> None:
        self._file.write(json.dumps(fields) + "\n")
        self._file.flush()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.write(not_collected=report.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:  # none in the process that directs the workers of xdist
            self.write(collected=[item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        self.write(collected=ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        if error:
            self.write(crashed=str(error))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.write(test=report.nodeid, part=report.when, failed=report.failed)

    def pytest_unconfigure(self) -> None:
        self._file.close()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to write, in the one process that sees the reports of all tests."""
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(Progress(Path(os.environ[VARIABLE])))
