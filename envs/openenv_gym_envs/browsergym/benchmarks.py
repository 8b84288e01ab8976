"""The benchmarks of BrowserGym, and the requirements of each.

MiniWoB++ is a folder of pages in the package ``miniwob``. The browser gets them under an address of
our own, because an agent that can open any address must not reach the files of this machine. The
other benchmarks need sites that somebody sets up.
"""

from __future__ import annotations

import importlib
import importlib.util
import mimetypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gymnasium
from browsergym.core.env import BrowserEnv
from browsergym.core.task import AbstractBrowserTask
from playwright.sync_api import Route

from openenv_gym.errors import MissingDependencyError, OptionError, did_you_mean, missing_package

_HOST = "miniwob.localhost"  # a secure context, and no machine's name


@dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        name: Name in BrowserGym.
        module: Module that registers the tasks when it is imported.
        task: The default task; None if the user must name one.
        viewport: Width and height of its pages, in CSS pixels.
        scale: Pixels of a screenshot for each CSS pixel.
        offline: Whether the pages come with a package, reach nothing else, and depend on the seed
            alone.
        variables: Environment variables that must be set.
        setup: Other steps that are necessary.
    """

    name: str
    module: str
    task: str | None = None
    viewport: tuple[int, int] = (1280, 720)
    scale: float = 1.0
    offline: bool = False
    variables: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()


_PUNKT = "download its tokenizer: python -c \"import nltk; nltk.download('punkt')\""
_KEY = "OPENAI_API_KEY"  # some of the evaluations ask a model

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "miniwob",
            "browsergym.miniwob",
            task="click-test",
            viewport=(332, 214),
            scale=1.5,
            offline=True,
        ),
        Benchmark(
            "webarena",
            "browsergym.webarena",
            variables=(
                *("WA_SHOPPING", "WA_SHOPPING_ADMIN", "WA_REDDIT", "WA_GITLAB"),
                *("WA_WIKIPEDIA", "WA_MAP", "WA_HOMEPAGE", _KEY),
            ),
            setup=(
                "pip install browsergym-webarena",
                _PUNKT,
                "run its sites on hosts of your own: "
                "https://github.com/web-arena-x/webarena/tree/main/environment_docker",
            ),
        ),
        Benchmark(
            "visualwebarena",
            "browsergym.visualwebarena",
            variables=(
                *("VWA_CLASSIFIEDS", "VWA_CLASSIFIEDS_RESET_TOKEN", "VWA_SHOPPING"),
                *("VWA_REDDIT", "VWA_WIKIPEDIA", "VWA_HOMEPAGE", _KEY),
            ),
            setup=(
                "pip install browsergym-visualwebarena",
                _PUNKT,
                "run its sites on hosts of your own: "
                "https://github.com/web-arena-x/visualwebarena/tree/main/environment_docker",
            ),
        ),
        Benchmark(
            "workarena",
            "browsergym.workarena",
            variables=("SNOW_INSTANCE_URL", "SNOW_INSTANCE_UNAME", "SNOW_INSTANCE_PWD"),
            setup=(
                "pip install browsergym-workarena",
                "get a ServiceNow developer instance: https://developer.servicenow.com",
                "fill it with the data of the tasks: workarena-install",
            ),
        ),
    )
}


def check_ready(benchmark: Benchmark) -> None:
    """Check that the requirements of a benchmark are met.

    Raises:
        MissingDependencyError: Its package is not installed.
        OptionError: An environment variable that it needs is not set.
    """
    unset = [name for name in benchmark.variables if not os.environ.get(name)]
    installed = importlib.util.find_spec(benchmark.module) is not None
    if installed and not unset:
        return
    steps = list(benchmark.setup)
    if benchmark.variables:
        steps.append(f"set {', '.join(benchmark.variables)} where the environment runs")
    todo = "; ".join(f"({number}) {step}" for number, step in enumerate(steps, 1))
    package = benchmark.module.replace(".", "-")
    lacks = [] if installed else [f"the package {package}"]
    lacks += [f"the variable {name}" for name in unset]
    message = (
        f"The benchmark {benchmark.name!r} needs sites that you set up first: {todo}. Missing "
        f"here: {', '.join(lacks)}. A container of transport='docker' cannot reach them, as it has "
        "no network. benchmark='miniwob' needs no sites."
    )
    fields = {"benchmark": benchmark.name, "variables": unset, "setup": steps}
    if installed:
        raise OptionError(message, **fields)
    raise MissingDependencyError(message, package=package, **fields)


class Tasks:
    """The tasks of a benchmark.

    Args:
        benchmark: The benchmark.

    Raises:
        MissingDependencyError: Its package is not installed.
        OptionError: Its sites are not set up.
    """

    def __init__(self, benchmark: Benchmark) -> None:
        check_ready(benchmark)
        importlib.import_module(benchmark.module)
        self._benchmark = benchmark
        self._prefix = f"browsergym/{benchmark.name}."

    def names(self) -> list[str]:
        """The sorted names of all tasks."""
        prefix = self._prefix
        ids = [id for id in gymnasium.registry if id.startswith(prefix)]
        return sorted(id.removeprefix(prefix) for id in ids)

    def checked(self, name: str | None) -> str:
        """Return the name of a task after checking it; None stands for the default.

        Raises:
            OptionError: The task does not exist.
        """
        known = self.names()
        wanted = self._benchmark.task if name is None else name
        if wanted in known:
            return wanted
        raise OptionError(
            f"Options of browsergym: {self._benchmark.name} does not have the task {name!r}."
            f"{did_you_mean(wanted or '', known)} It has {len(known)}: {', '.join(known[:8])}, ...",
            option="task",
            task=name,
            known=known,
        )

    def make(self, name: str, seed: int) -> AbstractBrowserTask:
        """Make a task from a seed."""
        kept = {"base_url": f"http://{_HOST}/miniwob/"} if self._benchmark.offline else {}
        registered: Any = gymnasium.registry[self._prefix + name].entry_point
        # The environment holds the task's class and arguments, and starts nothing before a reset.
        stock: BrowserEnv = registered(task_kwargs=kept)
        return stock.task_entrypoint(seed=seed, **stock.task_kwargs)


def serve(route: Route) -> None:
    """Answer a request for a page of MiniWoB++ with the file, and any other with an error page.

    An error page of our own is deterministic; the moment when the browser shows its own is not.
    """
    address = urlsplit(route.request.url)
    if address.scheme != "http" or address.netloc != _HOST:
        route.fulfill(status=502, body="There is no network.", content_type="text/plain")
        return
    found = _page(unquote(address.path))
    if found is None:
        route.fulfill(status=404)
    else:
        body, kind = found
        route.fulfill(body=body, content_type=kind)


@lru_cache(maxsize=512)
def _page(path: str) -> tuple[bytes, str] | None:
    """Return the content and the type of a file of the package."""
    root = _root()
    file = (root / path.lstrip("/")).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        return None
    return file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream"


@cache
def _root() -> Path:
    # Importing the package would load Selenium, which is not needed here.
    spec = importlib.util.find_spec("miniwob")
    if spec is None or spec.origin is None:
        raise missing_package("browsergym", "miniwob", "browsergym", name="browsergym")
    return Path(spec.origin).resolve().parent / "html"
