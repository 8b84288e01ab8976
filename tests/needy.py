"""A module whose dependency is not installed."""

from __future__ import annotations

import no_such_package  # type: ignore[import-not-found]

from tests.troubles import Troublesome


class Needy(Troublesome):
    package = no_such_package
