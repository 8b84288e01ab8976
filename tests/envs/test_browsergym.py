"""BrowserGym: actions, observations and options."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import MissingDependencyError, OptionError
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Open
from openenv_gym_envs.browsergym.environment import fitting

ID = "openenv/BrowserGym-v0"

pytestmark = pytest.mark.browser


After = Callable[[str], tuple[dict[str, Any], float, bool, dict[str, Any]]]


@pytest.fixture(scope="module")
def shared() -> Iterator[OpenEnvGym]:
    env = OpenEnvGym(ID)
    yield env
    env.close()


@pytest.fixture
def after(shared: OpenEnvGym) -> After:
    """What one action in click-test gives."""

    def after(action: str) -> tuple[dict[str, Any], float, bool, dict[str, Any]]:
        shared.reset(seed=0)
        observation, reward, terminated, _, info = shared.step(action)
        return observation, float(reward), terminated, info

    return after


def test_an_observation_has_all_that_was_asked_for(shared: OpenEnvGym) -> None:
    observation, info = shared.reset(seed=0)
    assert observation["text"] == info["axtree_txt"]
    assert "[13] button 'Click Me!'" in observation["text"]
    assert '<button bid="13" id="subbtn"' in info["pruned_html"]
    assert observation["goal"] == "Click the button."
    assert observation["error"] == ""
    assert observation["last_action_error"] == 0
    screenshot = observation["screenshot"]
    assert screenshot.dtype == np.uint8
    assert screenshot.shape == (321, 498, 3)
    assert 2 < len(np.unique(screenshot)) < 256
    browser = info["browsergym_obs"]
    assert browser["open_pages_urls"] == [observation["url"]]
    assert browser["chat_messages"] == [{"role": "user", "message": "Click the button."}]


def test_what_is_not_wanted_is_not_taken() -> None:
    wanted = dict.fromkeys(("include_axtree", "include_html", "include_screenshot"), False)
    env = OpenEnvGym(ID, **wanted)
    observation, info = env.reset(seed=0)
    assert observation["text"] == info["axtree_txt"] == info["pruned_html"] == ""
    assert observation["screenshot"].shape == (0, 0, 3)
    # The elements have their bids whatever is observed.
    assert env.step("click('13')")[1] == 1.0
    env.close()


def test_html_stands_in_for_the_tree() -> None:
    env = OpenEnvGym(ID, include_axtree=False, include_elements=True)
    observation, info = env.reset(seed=0)
    assert observation["text"] == info["pruned_html"] != ""
    button = info["browsergym_obs"]["extra_element_properties"]["13"]
    assert button["clickable"]
    assert len(button["bbox"]) == 4
    env.close()


def test_size_of_the_page() -> None:
    env = OpenEnvGym(ID, viewport_width=200, viewport_height=300, render_mode="rgb_array")
    spaces = env.observation_space
    assert isinstance(spaces, Dict)
    assert spaces["screenshot"] == Box(0, 255, (450, 300, 3), np.uint8)
    observation, _ = env.reset(seed=0)
    assert np.array_equal(env.render(), observation["screenshot"])
    env.close()


@pytest.mark.parametrize(
    ("action", "reported"),
    [
        ("", "ValueError: Received an empty action"),
        ("click('nobody')", 'Could not find element with bid "nobody"'),
        ("press the button", "ValueError: Received an empty action"),
        ("print('x')", "NameError: Invalid action type 'print'"),
        ("__import__('os').system('id')", "Error"),
        ("click('13', color='red')", "unexpected keyword argument 'color'"),
        ("upload_file('13', '/etc/passwd')", "NameError: Invalid action type 'upload_file'"),
        ("goto('file:///etc/passwd')", "http or https, not 'file:///etc/passwd'"),
        ("goto(' \\tview-source:http://miniwob.localhost/')", "goto opens only addresses"),
        ("goto('chrome://crash')", "http or https, not 'chrome://crash'"),
        ("noop(10000000)", "noop waits 0 to 60000 ms"),
        ("send_msg_to_user(3)", "a message must be a text, not 3"),
        ("tab_focus(7)", "IndexError: list index out of range"),
    ],
)
def test_an_action_that_fails_is_told(after: After, action: str, reported: str) -> None:
    observation, reward, terminated, info = after(action)
    assert reported in observation["error"]
    assert observation["last_action_error"] == 1
    assert info["browsergym_obs"]["last_action"] == action
    assert (reward, terminated) == (0.0, False)
    assert observation["url"] == "http://miniwob.localhost/miniwob/click-test.html"


@pytest.mark.parametrize(
    ("action", "url"),
    [
        ("goto('http://example.com/')", "http://example.com/"),
        ("goto('https://127.0.0.1:22/x')", "https://127.0.0.1:22/x"),
        ("goto('http://miniwob.localhost/../../setup.py')", "http://miniwob.localhost/setup.py"),
        ("new_tab()", "about:blank"),
        ("tab_close()", "about:blank"),
    ],
)
def test_who_leaves_the_task_ends_it(after: After, action: str, url: str) -> None:
    """And finds nothing out there."""
    observation, reward, terminated, _ = after(action)
    assert observation["error"] == ""
    assert observation["url"] == url
    assert (reward, terminated) == (0.0, True)
    words = observation["text"].partition("\n")[2]
    assert words.strip() in ("", "StaticText 'There is no network.'")


def test_several_actions_in_one(after: After) -> None:
    _, reward, terminated, _ = after("mouse_move(5, 5)\nnoop(100)\nclick('13')")
    assert (reward, terminated) == (1.0, True)


def test_what_the_agent_says(after: After) -> None:
    _, _, terminated, info = after("send_msg_to_user('Done?')")
    said = info["browsergym_obs"]["chat_messages"][-1]
    assert (said, terminated) == ({"role": "assistant", "message": "Done?"}, False)
    _, reward, terminated, info = after("report_infeasible('No button.')")
    said = info["browsergym_obs"]["chat_messages"][-1]
    assert said == {"role": "infeasible", "message": "No button."}
    assert (reward, terminated) == (0.0, True)


def test_actions_that_are_left_out_are_refused() -> None:
    env = OpenEnvGym(ID, actions=("bid",))
    env.reset(seed=0)
    observation = env.step("mouse_click(5, 5)")[0]
    env.close()
    assert "NameError: Invalid action type 'mouse_click'" in observation["error"]


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"actions": ()}, "allows no action"),
        ({"actions": ("python",)}, "coord"),
        ({"benchmark": "assistantbench"}, "webarena"),
        ({"viewport_width": 1}, "viewport_width"),
        ({"executable_path": "/no/chromium"}, "'/no/chromium' is not a program"),
    ],
)
def test_options_that_will_not_do(options: dict[str, Any], reported: str) -> None:
    with pytest.raises(OptionError, match=reported):
        OpenEnvGym(ID, **options)


@pytest.mark.parametrize("option", [{"executable_path": "/bin/sh"}, {"sandbox": False}])
def test_the_program_is_for_the_owner_to_choose(option: dict[str, Any]) -> None:
    session = Session("browsergym", owner=False)
    with pytest.raises(OptionError, match="for the owner of the server alone"):
        session.handle(Open("browsergym", option, None))


@pytest.mark.parametrize(
    ("options", "package"), [({}, "chromium-headless-shell"), ({"headless": False}, "chromium")]
)
def test_without_a_browser_the_package_is_named(
    options: dict[str, Any], package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=rf"apt-get install {package}'") as caught:
        OpenEnvGym(ID, **options)
    assert caught.value.fields["package"] == package


def test_long_texts_are_cut() -> None:
    assert fitting("short", 100) == "short"
    cut = fitting("x" * 200, 100)
    assert len(cut) == 100
    assert cut.endswith("... (cut: 200 characters, of which 100 fit)")
    assert fitting("a\ud800b", 100) == "a\ufffdb"


def test_ids_are_registered_without_the_library() -> None:
    code = """
import sys, gymnasium, openenv_gym
assert "openenv/BrowserGym.miniwob.click-test-v0" in gymnasium.registry
assert not {"browsergym", "playwright", "miniwob"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
