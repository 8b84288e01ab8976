"""The BrowserGym environment: its tasks, actions and observations, with OpenEnv's fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from gymnasium.spaces import Box, Space
from numpy.typing import NDArray
from playwright.sync_api import Browser
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import EpisodeError, OptionError
from openenv_gym.models import ClientOption
from openenv_gym_envs.browsergym.actions import SUBSETS, Subset, language
from openenv_gym_envs.browsergym.benchmarks import BENCHMARKS, Tasks
from openenv_gym_envs.browsergym.browser import SharedBrowser
from openenv_gym_envs.browsergym.episode import Episode, Outcome, Setting
from openenv_gym_envs.browsergym.launching import Settings, find, sandboxed
from openenv_gym_envs.browsergym.models import (
    LONGEST_ERROR,
    LONGEST_GOAL,
    LONGEST_TEXT,
    LONGEST_URL,
    BrowserGymAction,
    BrowserGymObservation,
    BrowserGymState,
)
from openenv_gym_envs.browsergym.observing import Wanted, picture

_Pixels = Annotated[int, Field(ge=16, le=8192)] | None
_Milliseconds = Annotated[int, Field(ge=1, le=60_000)]
# What a client of a server may ask for.
_Size = Annotated[int, Field(ge=16, le=2048)]
_Name = Annotated[str, Field(max_length=200)]
_Groups = Annotated[tuple[Subset, ...], Field(max_length=len(SUBSETS))]
_Delay = Annotated[float, Field(ge=0, le=5)]
_Wait = Annotated[int, Field(ge=1, le=30_000)]
_ShortWait = Annotated[int, Field(ge=1, le=5_000)]


class BrowserGymEnvironment(Environment[BrowserGymAction, BrowserGymObservation, BrowserGymState]):
    """A task of BrowserGym, for an agent that uses a browser.

    The benchmark ``miniwob`` runs offline: 125 small tasks on pages of a package. The clock of its
    pages moves only with actions, so the same seed and actions give the same episode, screenshots
    included, on any machine with the same browser.

    The task decides rewards and endings: in MiniWoB++ the reward is 1 for the solution, else 0. If
    an action fails or is not valid, the observation says why.

    Args:
        benchmark: Name of the benchmark; all but ``"miniwob"`` need sites that you set up.
        task: Name of the task, such as ``"click-button"``; None for the benchmark's default.
        actions: Groups of actions that the agent may use.
        include_axtree: Whether to observe the accessibility tree.
        include_html: Whether to observe the HTML.
        include_screenshot: Whether to observe a picture.
        include_elements: Whether to observe the position and visibility of each element.
        viewport_width: Width of the page in CSS pixels; None for the benchmark's default.
        viewport_height: Height of the page in CSS pixels; None for the benchmark's default.
        pre_observation_delay: Seconds between an action and its observation, by the page's clock,
            which in MiniWoB++ takes no real time.
        page_timeout: Milliseconds that a page may take to load; None for the task's default.
        action_timeout: Milliseconds for which an action waits for its element.
        slow_mo: Milliseconds to wait before each operation of the browser, to watch it.
        headless: Whether to show no window.
        executable_path: Path of the browser; None to search for one.
        sandbox: Whether to use Chromium's own sandbox; None to use it where it is possible, which
            it is not for root.
        allow_unseeded: Whether to accept a seed that does not decide the episode, as in all
            benchmarks but ``"miniwob"``.

    Raises:
        OptionError: The task does not exist, or the benchmark is not set up.
        MissingDependencyError: A browser or the benchmark's package is missing.
    """

    render_modes = ("rgb_array",)
    render_fps = 2

    def __init__(
        self,
        benchmark: Literal["miniwob", "webarena", "visualwebarena", "workarena"] = "miniwob",
        task: Annotated[str | None, ClientOption(_Name | None)] = None,
        actions: Annotated[tuple[Subset, ...], ClientOption(_Groups)] = SUBSETS,
        include_axtree: Annotated[bool, ClientOption()] = True,
        include_html: Annotated[bool, ClientOption()] = True,
        include_screenshot: Annotated[bool, ClientOption()] = True,
        include_elements: Annotated[bool, ClientOption()] = False,
        viewport_width: Annotated[_Pixels, ClientOption(_Size | None)] = None,
        viewport_height: Annotated[_Pixels, ClientOption(_Size | None)] = None,
        pre_observation_delay: Annotated[float, Field(ge=0, le=60), ClientOption(_Delay)] = 0.5,
        page_timeout: Annotated[_Milliseconds | None, ClientOption(_Wait | None)] = None,
        action_timeout: Annotated[_Milliseconds, ClientOption(_ShortWait)] = 1000,
        slow_mo: Annotated[float, Field(ge=0, le=10_000)] = 0.0,
        headless: bool = True,
        executable_path: str | None = None,
        sandbox: bool | None = None,
        allow_unseeded: Annotated[bool, ClientOption()] = False,
    ) -> None:
        if not actions:
            raise OptionError(
                f"Options of browsergym: actions=() allows no action. Name some of {SUBSETS}.",
                option="actions",
            )
        chosen = BENCHMARKS[benchmark]
        self._tasks = Tasks(chosen)
        self._benchmark = chosen
        self._task = self._tasks.checked(task)
        self._allow_unseeded = allow_unseeded
        viewport = (viewport_width or chosen.viewport[0], viewport_height or chosen.viewport[1])
        self._shape = (round(viewport[1] * chosen.scale), round(viewport[0] * chosen.scale), 3)
        screen = self._shape if include_screenshot else None
        self._setting = Setting(
            language(tuple(actions), action_timeout),
            Wanted(include_axtree, include_html, include_elements, screen, chosen.scale),
            viewport,
            chosen.offline,
            pre_observation_delay,
            page_timeout,
        )
        self._browser = SharedBrowser.acquire(
            Settings(
                find(executable_path, headless),
                headless,
                sandboxed(sandbox),
                chosen.offline,
                slow_mo,
            )
        )
        self._episode: Episode | None = None
        self._state = BrowserGymState(benchmark=benchmark, task_name=self._task)

    def spaces(self) -> Mapping[str, Space[Any]]:
        """The Space of the picture, whose size depends on the options."""
        shape = (0, 0, 3) if self._setting.wanted.screen is None else self._shape
        return {"screenshot": Box(0, 255, shape, np.uint8)}

    def tasks(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Implements Environment.tasks: the benchmark's; each fifth is of the split ``"test"``."""
        found: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
        for number, name in enumerate(self._tasks.names()):
            split = found["test" if number % 5 == 4 else "train"]
            split.append({"id": name, "index": len(split), "benchmark": self._benchmark.name})
        return found

    def reset(
        self,
        seed: int | None = None,
        task_name: str | None = None,
        split: str | None = None,
        index: int | None = None,
        episode_id: str | None = None,
    ) -> BrowserGymObservation:
        """Begin a task.

        Args:
            seed: Seed of the task, as in BrowserGym.
            task_name: Another task of the benchmark, for this episode only.
            split: Split of the task, in place of its name.
            index: Index of the task in its split.
            episode_id: Name of the episode in :attr:`state`.

        Raises:
            OptionError: The task does not exist.
            EpisodeError: The seed would not decide the episode.
        """
        if seed is not None and not self._benchmark.offline and not self._allow_unseeded:
            raise EpisodeError(
                f"reset(seed={seed}): a seed does not decide what happens on the sites of "
                f"{self._benchmark.name!r}. Leave it out, or make the environment with "
                "allow_unseeded=True.",
                seed=seed,
            )
        task_of_split = self.chosen_task(split, index)
        task_name = task_name if task_of_split is None else task_of_split["id"]
        name = self._task if task_name is None else self._tasks.checked(task_name)
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed % 2**32
        self._end_episode()
        task = self._tasks.make(name, drawn)
        self._state = BrowserGymState(
            episode_id=episode_id,
            benchmark=self._benchmark.name,
            task_name=name,
            task_id=f"{self._benchmark.name}.{name}",
        )

        def begin(browser: Browser) -> Outcome:
            self._episode = Episode(browser, task, self._setting)
            return self._episode.first()

        return self._observe(self._browser.run(begin))

    @property
    def _running(self) -> Episode:
        assert self._episode is not None, "a session steps only an episode that has begun"
        return self._episode

    def step(self, action: BrowserGymAction) -> BrowserGymObservation:
        """Implements Environment.step."""
        episode = self._running
        outcome = self._browser.go_on(episode.browser, lambda: episode.step(action.action_str))
        self._state.step_count += 1
        self._state.cum_reward += outcome.reward
        return self._observe(outcome)

    @property
    def state(self) -> BrowserGymState:
        """The episode so far."""
        return self._state

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture of the page: (height, width, 3) uint8."""
        if self.render_mode != "rgb_array":
            return None
        shape, scale, episode = self._shape, self._benchmark.scale, self._running
        taken: NDArray[np.uint8] = self._browser.go_on(
            episode.browser, lambda: episode.on_page(lambda page: picture(page, shape, scale))
        )
        return taken

    def close(self) -> None:
        """Close the page, and the browser if no other environment uses it."""
        try:
            self._end_episode()
        finally:
            self._browser.release()

    def _end_episode(self) -> None:
        episode, self._episode = self._episode, None
        if episode is not None:
            self._browser.finish(episode.browser, episode.close)

    def _observe(self, outcome: Outcome) -> BrowserGymObservation:
        seen, state = outcome.seen, self._state
        goal = "\n".join(part["text"] for part in outcome.browser["goal_object"] if "text" in part)
        state.goal, state.current_url = goal, outcome.url
        return BrowserGymObservation(
            text=fitting(seen.axtree or seen.html, LONGEST_TEXT),
            url=fitting(outcome.url, LONGEST_URL),
            goal=fitting(goal, LONGEST_GOAL),
            screenshot=seen.screenshot,
            error=fitting(outcome.error, LONGEST_ERROR),
            last_action_error=bool(outcome.error),
            axtree_txt=seen.axtree,
            pruned_html=seen.html,
            done=outcome.done,
            reward=outcome.reward,
            metadata={
                "browsergym_obs": outcome.browser,
                "browsergym_info": {"task_info": outcome.task_info},
            },
        )


def fitting(text: str, longest: int) -> str:
    """Cut a text to the length of its Space, with a note at the end."""
    # A page may contain half a surrogate pair, which is not valid Unicode.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(text) <= longest:
        return text
    note = f"\n... (cut: {len(text)} characters, of which {longest} fit)"
    return text[: longest - len(note)] + note
