"""The log of a server: lines for people, or one JSON object a line for programs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

FORMATS = ("text", "json")
"""How a log can be written."""


class JsonFormatter(logging.Formatter):
    """One JSON object for each record: time, level, logger, message, and the exception if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Implements Formatter.format."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_logging(form: str, *, owned: bool = False) -> None:
    """Write the log to the standard error.

    Args:
        form: One of :data:`FORMATS`.
        owned: The server is a program's own, which shows its output: no more than warnings.
    """
    level = logging.WARNING if owned else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if form == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())
