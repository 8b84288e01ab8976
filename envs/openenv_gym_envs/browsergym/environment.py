"""The BrowserGym environment: its tasks, actions and observations, with OpenEnv's fields."""

from __future__ import annotations

from collections.abc import Mapping
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
    """A task for an agent that uses a browser, as BrowserGym has them.

    The benchmark ``miniwob`` runs offline: 125 small tasks on pages that come with a package. Its
    pages run by a clock that moves only with actions, so the same seed and actions give the same
    episode, screenshots included, on any machine with the same browser.

    Rewards and endings are the task's: in MiniWoB++ 1 where it is solved, else 0. An action that
    fails, or is none, is told by the observation.

    Args:
        benchmark: Where the task comes from; all but ``"miniwob"`` need sites that you set up.
        task: Its name, such as ``"click-button"``; None for the benchmark's default.
        actions: Groups of actions that the agent may use.
        include_axtree: Take the accessibility tree.
        include_html: Take the HTML.
        include_screenshot: Take a picture.
        include_elements: Take place and visibility of each element.
        viewport_width: Of the page, in CSS pixels; None as the benchmark has it.
        viewport_height: Likewise.
        pre_observation_delay: Seconds between an action and its observation, by the page's clock:
            in MiniWoB++ nobody waits for them.
        page_timeout: Milliseconds that a page may take to load; None as the task has it.
        action_timeout: Milliseconds that an action waits for its element.
        slow_mo: Milliseconds to wait before each operation of the browser, for who looks on.
        headless: Show no window.
        executable_path: The browser, if not one that is found.
        sandbox: Use Chromium's own sandbox; None: wherever it can, which root cannot.
        allow_unseeded: Take a seed where it does not decide the episode: all but ``"miniwob"``.

    Raises:
        OptionError: There is no such task, or the benchmark is not set up.
        MissingDependencyError: There is no browser, or not the benchmark's package.
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
                f"Options of browsergym: actions=() leaves none. Name some of {SUBSETS}.",
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
        """The picture, of the size that the options say."""
        shape = (0, 0, 3) if self._setting.wanted.screen is None else self._shape
        return {"screenshot": Box(0, 255, shape, np.uint8)}

    def reset(
        self,
        seed: int | None = None,
        task_name: str | None = None,
        episode_id: str | None = None,
    ) -> BrowserGymObservation:
        """Begins a task.

        Args:
            seed: Of the task, as BrowserGym takes it.
            task_name: Another task of the benchmark, for this episode only.
            episode_id: Name of the episode in :attr:`state`.

        Raises:
            OptionError: There is no such task.
            EpisodeError: The seed would not decide the episode.
        """
        if seed is not None and not self._benchmark.offline and not self._allow_unseeded:
            raise EpisodeError(
                f"reset(seed={seed}): what happens on the sites of {self._benchmark.name!r} is "
                "not decided by a seed. Leave it out, or make the environment with "
                "allow_unseeded=True.",
                seed=seed,
            )
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
        assert self._episode is not None, "the session steps no episode that did not begin"
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
        """The page: (height, width, 3) uint8."""
        if self.render_mode != "rgb_array":
            return None
        shape, scale, episode = self._shape, self._benchmark.scale, self._running
        taken: NDArray[np.uint8] = self._browser.go_on(
            episode.browser, lambda: episode.on_page(lambda page: picture(page, shape, scale))
        )
        return taken

    def close(self) -> None:
        """Closes the page, and the browser if nobody else uses it."""
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
    """The text as its Space can hold it; the end of one that was cut says so."""
    # A page may have half of a character, which is no Unicode text.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(text) <= longest:
        return text
    note = f"\n... (cut: {len(text)} characters, of which {longest} fit)"
    return text[: longest - len(note)] + note
