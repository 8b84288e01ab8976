"""The dashboard of a running server, in a real browser: for whoever knows its token."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gymnasium
import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import ActionError
from openenv_gym.server.backend import BackendSettings
from openenv_gym.server.web.routes import png
from openenv_gym.vector import OpenEnvVectorEnv
from tests.environments import THREADED
from tests.server.pages import overflow, serious_findings
from tests.servers import Served, serving

TOKEN = "letmein"


def client(served: Served, environment: str = "connect4", **keywords: Any) -> OpenEnvGym:
    return OpenEnvGym(
        environment, transport="websocket", url=served.url("websocket"), token=TOKEN, **keywords
    )


def get(served: Served, path: str, token: str | None = TOKEN) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{served.url('http')}/web/sessions{path}", headers=headers, timeout=60.0)


def log_in(page: Page, served: Served) -> None:
    page.goto(f"{served.url('http')}/web/sessions")
    expect(page.get_by_role("alert")).to_contain_text("wants a token")
    page.get_by_label("Token of this server").fill(TOKEN)
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("#count")).to_contain_text(" of ")


def test_what_the_owner_sees(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    with (
        serving("connect4", web=True, token=TOKEN, max_sessions=7) as served,
        closing(client(served, render_mode="rgb_array")) as seen,
        closing(client(served)) as unseen,
    ):
        seen.reset(seed=1)
        unseen.reset(seed=1)
        seen.step(3)
        with pytest.raises(ActionError):
            seen.link.step(99)  # past what the client checks
        log_in(page, served)
        assert page.title() == "Sessions of connect4"
        expect(page.locator("#count")).to_have_text("2 of 7, 2 so far")
        rows = page.locator("#list tr")
        expect(rows).to_have_count(2)
        assert rows.nth(0).locator("td").all_inner_texts()[2:4] == [
            "1",
            "2",
        ]  # a lane; the refused step counts too
        expect(page.locator("#failures")).to_have_text("1 ActionError")
        expect(page.locator("#p99")).to_contain_text("or less")
        page.get_by_role("button", name="Show 1").click()
        picture = page.get_by_role("img", name="Session 1 now")
        expect(picture).to_be_visible()
        size = picture.evaluate("one => [one.naturalHeight, one.naturalWidth]")
        assert tuple(size) == seen.render().shape[:2]
        assert overflow(page) == 0
        assert serious_findings(page) == []
        page.get_by_role("button", name="Show 2").click()
        expect(page.locator("#which")).to_contain_text("Session 2 has no picture")
        seen.step(2)  # the picture was not in its client's way
        expect(rows.nth(0).locator("td").nth(3)).to_have_text("3")


def test_only_the_owner_sees_it(page: Page) -> None:
    paths = ("/data", "/1/picture")
    with serving("connect4", web=True, token=TOKEN) as served:
        assert get(served, "", None).status_code == 200
        for path in paths:
            assert get(served, path, None).status_code == 401
            assert get(served, path, "wrong").status_code == 401
        assert get(served, "/1/picture").status_code == 404
    with serving("connect4", web=True) as served:
        assert [get(served, path).status_code for path in paths] == [403, 403]
        page.goto(f"{served.url('http')}/web/sessions")
        expect(page.get_by_role("alert")).to_contain_text("start it with OPENENV_GYM_TOKEN")
    with serving("connect4", token=TOKEN) as served:
        assert [get(served, path).status_code for path in ("", *paths)] == [404, 404, 404]


def test_ids_of_sessions_stay_secret() -> None:
    with serving("echo", web=True, token=TOKEN) as served, closing(client(served, "echo")) as env:
        env.reset()
        [session] = get(served, "/data").json()["list"]
        assert not {str(value) for value in session.values()} & set(served.sessions._sessions)


@pytest.mark.parametrize(
    "settings",
    [{}, {"backend": BackendSettings(name="process", workers=1)}],
    ids=["inprocess", "process"],
)
def test_counts_of_a_session(settings: dict[str, Any]) -> None:
    with (
        serving(THREADED, web=True, token=TOKEN, **settings) as served,
        closing(client(served, THREADED)) as env,
    ):
        env.reset(seed=1)
        for _ in range(5):
            env.step(0)
        found = get(served, "/data").json()
        [session] = found["list"]
        assert (session["number"], session["steps"], session["failures"]) == (1, 5, 0)
        assert session["step_seconds"] > 0
        assert (found["steps"], found["resets"], found["sessions"]) == (5, 1, 1)


def test_pictures_do_not_change_an_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are drawn between two steps, while the steps of an inline environment go on."""

    def play(env: gymnasium.Env[Any, Any], look: Callable[[], Any]) -> list[Any]:
        env.reset(seed=3)
        env.action_space.seed(3)
        played = []
        for _ in range(60):
            observation, reward, terminated, truncated, _ = env.step(
                env.action_space.sample(env.unwrapped.action_masks().astype("int8"))
            )
            played.append((observation.tolist(), reward, terminated))
            look()
            if terminated or truncated:
                env.reset()
        return played

    with serving("connect4", web=True, token=TOKEN) as served:
        with closing(client(served, render_mode="rgb_array")) as env:
            alone = play(env, lambda: None)
        with closing(client(served, render_mode="rgb_array")) as env:
            pictures = []
            watched = play(env, lambda: pictures.append(get(served, "/2/picture")))
    assert watched == alone
    assert all(one.content.startswith(b"\x89PNG") for one in pictures)


@pytest.mark.parametrize(
    "backend",
    [BackendSettings(), BackendSettings(name="process", workers=1)],
    ids=["here", "worker"],
)
@pytest.mark.parametrize("vector", [False, True])
def test_pictures_of_workers_and_of_lanes(backend: BackendSettings, vector: bool) -> None:
    """Each is what its client sees, and the client's own replies stay its own."""
    with serving("connect4", web=True, token=TOKEN, backend=backend) as served:
        keywords: dict[str, Any] = {"render_mode": "rgb_array"}
        url = served.url("websocket")
        if vector:
            env: Any = OpenEnvVectorEnv(
                "connect4", num_envs=3, transport="websocket", url=url, token=TOKEN, **keywords
            )
        else:
            env = client(served, "connect4", **keywords)
        with closing(env):
            assert get(served, "/1/picture").status_code == 409  # not before a reset
            env.reset(seed=3)
            action = np.array([3, 2, 1]) if vector else 3
            env.step(action)
            get(served, "/1/picture")
            env.step(action)
            found = get(served, "/1/picture")
            drawn = env.render()
            height, width, _ = (drawn[0] if vector else drawn).shape
            assert found.content.startswith(b"\x89PNG")
            size = struct.unpack(">II", found.content[16:24])
            assert size == ((2 * width, 2 * height) if vector else (width, height))
            whole = np.zeros((2 * height, 2 * width, 3), np.uint8)
            if vector:
                for lane, picture in enumerate(drawn):
                    top, left = lane // 2 * height, lane % 2 * width
                    whole[top : top + height, left : left + width] = picture
            assert found.content == png(whole if vector else drawn)
            [session] = get(served, "/data").json()["list"]
            assert (session["steps"], session["failures"]) == ((6, 0) if vector else (2, 0))
