"""The web page of a server, in a real browser; and that it lets no other page in."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from openenv_gym.cli import main
from openenv_gym.env import OpenEnvGym
from openenv_gym.server.web.routes import png
from tests.environments import FAIL, SECRET, THREADED
from tests.openenv.counterparts import NESTED
from tests.openenv.peers import OPENENV, START_LIMIT, peer_environment, requires_peers
from tests.server.pages import overflow, serious_findings
from tests.servers import Served, eventually, process, serving


def visit(page: Page, served: Served) -> None:
    page.goto(f"{served.url('http')}/")
    assert page.url == f"{served.url('http')}/web"
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")


def reset(page: Page, seed: str = "") -> None:
    page.get_by_label("Seed").fill(seed)
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#phase")).to_have_text("running")
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")


def choose(page: Page, action: str, step: int) -> None:
    page.get_by_role("group", name="Actions").get_by_role("button", name=action, exact=True).click()
    expect(page.locator("#count")).to_have_text(str(step))
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")


def test_an_episode_of_connect4_by_clicking(page: Page) -> None:
    columns = (3, 0, 3, 1, 3, 6, 3)
    env = OpenEnvGym("connect4", render_mode="rgb_array")
    env.reset(seed=1)
    with serving("connect4", web=True) as served:
        visit(page, served)
        assert page.title() == "connect4"
        reset(page, "1")
        for number, column in enumerate(columns, start=1):
            choose(page, str(column), number)
            env.step(column)
        expect(page.locator("#phase")).to_have_text("over")
        expect(page.locator("#sum")).to_have_text("1")
        log = page.get_by_label("Log of the episode").get_by_role("listitem").all_inner_texts()
        assert log == [
            "reset, seed 1",
            *(f"{column}: reward 0" for column in columns[:-1]),
            "3: reward 1, over",
        ]
        picture = page.get_by_role("img", name="The environment after step 7")
        expect(picture).to_be_visible()
        size = picture.evaluate("one => [one.naturalHeight, one.naturalWidth]")
        assert tuple(size) == env.render().shape[:2]
        seen, text = picture.bounding_box(), page.locator("#observation").bounding_box()
        assert seen is not None
        assert text is not None
        assert seen["x"] + seen["width"] < text["x"], "picture and text are side by side"
        assert len(served.sessions) == 1
        page.goto("about:blank")  # the session is ended, and not left to its timeout
        eventually(lambda: len(served.sessions) == 0)
    env.close()


def test_only_legal_moves_of_chess_are_offered(page: Page) -> None:
    with serving("chess", web=True, options={"opponent": "self"}) as served:
        visit(page, served)
        reset(page)
        actions = page.get_by_role("group", name="Actions").get_by_role("button")
        expect(actions).to_have_count(20)
        choose(page, "e2e4", 1)
        assert "e7e5" in actions.all_inner_texts()
        assert "e2e4" not in actions.all_inner_texts()


def test_a_form_of_texts_by_the_keyboard(page: Page) -> None:
    with serving("echo", web=True) as served:
        visit(page, served)
        page.get_by_label("Seed").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#phase")).to_have_text("running")
        page.get_by_label("message").fill('¿Qué "tal"?')
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#count")).to_have_text("1")
        expect(page.locator("#observation")).to_contain_text('echoed_message: ¿Qué "tal"?')
        expect(page.locator("#text")).to_be_visible()
        expect(page.locator("#reward")).to_have_text("1.1")


def test_fields_of_every_kind_and_what_is_refused(page: Page) -> None:
    with serving(NESTED, web=True) as served:
        visit(page, served)
        reset(page)
        by, step = page.get_by_label("by"), page.get_by_role("button", name="Step")
        assert page.get_by_label("gait").locator("option").all_inner_texts() == ["walk", "run"]
        for wrong, said in (
            ("{", "by is no JSON"),
            ('{"x": 101, "y": 0}', "by.x: Input should be"),
        ):
            by.fill(wrong)
            step.click()
            expect(page.get_by_role("alert")).to_contain_text(said)
        page.get_by_label("gait").select_option("run")
        by.fill('{"x": 1, "y": -1}')
        step.click()
        expect(page.locator("#count")).to_have_text("1")
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator("#observation")).to_contain_text('here: {"x":2,"y":-2}')
        expect(page.locator("#picture")).to_be_hidden()


def test_a_gymnasium_environment(page: Page) -> None:
    with serving("gymnasium", web=True, options={"env_id": "CartPole-v1"}) as served:
        visit(page, served)
        reset(page, "3")
        choose(page, "1", 1)
        expect(page.get_by_role("img", name="The environment after step 1")).to_be_visible()


def test_what_the_environment_raises_stays_in_the_log(page: Page) -> None:
    with serving(THREADED, web=True) as served:
        visit(page, served)
        reset(page)
        page.get_by_role("button", name=str(FAIL), exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("The environment raised RuntimeError")
        assert SECRET not in page.content()
        reset(page)
        choose(page, "0", 1)


WALK = "tests.server.web_environments:Walk"


def test_only_what_is_legal_and_used_is_offered_by_name_and_key(page: Page) -> None:
    """Whatever the mask's field is called; fields without a Space would do nothing."""
    with serving(WALK, web=True) as served:
        visit(page, served)
        expect(page.locator("[name=unused]")).to_have_count(0)
        page.get_by_label("Options").fill('{"start": 3}')
        reset(page)
        actions = page.get_by_role("group", name="Actions").get_by_role("button")
        expect(actions).to_have_text(["NOOP", "RIGHT"])
        expect(page.locator("#observation")).to_contain_text("place: 3")
        page.locator("h1").click()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#count")).to_have_text("1")
        expect(page.locator("#sum")).to_have_text("4")
        choose(page, "NOOP", 2)
        expect(page.locator("#reward")).to_have_text("NaN")  # not 0, and not null
        expect(page.locator("#observation")).to_contain_text("slope: NaN")
        page.get_by_label("Options").fill("{")
        page.get_by_role("button", name="Reset").click()
        expect(page.get_by_role("alert")).to_contain_text("options are not valid JSON")


def test_the_episode_again_step_by_step(page: Page) -> None:
    with serving(WALK, web=True) as served:
        visit(page, served)
        reset(page, "5")
        choose(page, "RIGHT", 1)
        choose(page, "RIGHT", 2)
        expect(page.locator("#text")).to_have_text("at 2")
        page.get_by_role("button", name="Back").click()
        expect(page.locator("#text")).to_have_text("at 1")
        expect(page.locator("#count")).to_have_text("1")
        page.get_by_label("Step shown").fill("0")
        expect(page.locator("#text")).to_have_text("at 0")
        page.get_by_text("Raw message").click()
        expect(page.get_by_label("Raw reply")).to_contain_text('"place": 0')
        expect(page.get_by_role("img", name="Sum of rewards, now 3")).to_be_visible()
        choose(page, "LEFT", 3)  # goes on from where the episode is
        expect(page.locator("#text")).to_have_text("at 1")
        page.get_by_text("As Python").click()
        expect(page.get_by_label("The episode as Python")).to_have_text(
            "from openenv_gym.client import GenericClient\n\n"
            f'with GenericClient(base_url="{served.url("http")}") as client:\n'
            "    client.reset(seed=5)\n"
            '    client.step({"turn": 2})\n    client.step({"turn": 2})\n'
            '    client.step({"turn": 1})'
        )


def test_a_narrow_screen_and_a_screen_reader(page: Page, tmp_path: Path) -> None:
    """The path of a folder is not its title; nothing overflows; axe-core finds nothing serious."""
    assert main(["init", "a_maze_with_quite_a_long_name_env", "--output-dir", str(tmp_path)]) == 0
    folder = tmp_path / "a_maze_with_quite_a_long_name_env"
    page.set_viewport_size({"width": 360, "height": 740})
    for environment in (str(folder), "connect4", "chess"):
        with serving(environment, web=True) as served:
            visit(page, served)
            assert page.title() == environment.rpartition("/")[2]
            reset(page)
            page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
            assert overflow(page) == 0
            assert serious_findings(page) == []
            page.goto("about:blank")


def test_two_tabs_have_sessions_of_their_own(browser: Browser) -> None:
    with serving("connect4", web=True) as served:
        context = browser.new_context()
        tabs = [context.new_page() for _ in range(2)]
        for tab in tabs:
            visit(tab, served)
            reset(tab)
        choose(tabs[0], "3", 1)
        choose(tabs[0], "3", 2)
        choose(tabs[1], "3", 1)
        assert len(served.sessions) == 2
        context.close()


def test_a_token_is_asked_for(page: Page) -> None:
    with serving("connect4", web=True, token="right") as served:
        visit(page, served)
        token = page.get_by_label("Token of this server")
        for given, works in (("wrong", False), ("right", True)):
            token.fill(given)
            page.get_by_role("button", name="Use it").click()
            expect(page.locator("main")).to_have_attribute("aria-busy", "false")
            expect(page.get_by_role("alert")).to_be_visible(visible=not works)
        expect(token).to_be_hidden()
        reset(page)
        choose(page, "3", 1)
        expect(page.get_by_role("img", name="The environment after step 1")).to_be_visible()


def test_a_page_of_another_origin_cannot_use_it(page: Page) -> None:
    """A foreign page in the same browser, where the user has a session open."""
    with serving("connect4", web=True) as victim, serving("echo", web=True) as foreign:
        visit(page, victim)
        reset(page)
        page.goto(f"{foreign.url('http')}/health")  # a page without a policy of its own
        attack = """async ([url, mode]) => {
            try {
                const reply = await fetch(url + "/reset", {method: "POST", mode, body: "{}",
                    credentials: "include", headers: {"Content-Type": "text/plain"}});
                return reply.type + " " + reply.status;
            } catch (error) { return "failed"; }
        }"""
        eventually(lambda: len(victim.sessions) == 0)
        assert page.evaluate(attack, [victim.url("http"), "cors"]) == "failed"
        assert page.evaluate(attack, [victim.url("http"), "no-cors"]) == "opaque 0"
        assert len(victim.sessions) == 0


def test_what_a_browser_may_do_for_it() -> None:
    with serving("echo", web=True) as served:
        reply = httpx.get(served.url("http") + "/web", timeout=60.0)
        slash = httpx.get(f"{served.url('http')}/web/", follow_redirects=True, timeout=60.0)
    assert slash.text == reply.text
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    # Drawings of environments have styles; nothing but our own script runs.
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")
    assert not re.search(r"""(?:src|href)=|https?://""", reply.text), "it is self-contained"


def test_the_command_serves_it() -> None:
    patient = httpx.HTTPTransport(retries=50)
    with (
        process("echo", "--web") as (_, port),
        httpx.Client(transport=patient, timeout=60.0) as client,
    ):
        assert client.get(f"http://127.0.0.1:{port}/web").status_code == 200


def test_there_is_none_unless_it_is_asked_for() -> None:
    with (
        serving("echo") as served,
        httpx.Client(base_url=served.url("http"), timeout=60.0) as client,
    ):
        for path in ("/", "/web", "/web/frame"):
            assert client.get(path).status_code == 404


def test_the_picture_needs_a_session() -> None:
    with (
        serving("connect4", web=True) as served,
        httpx.Client(base_url=served.url("http"), timeout=60.0) as client,
    ):
        assert client.get("/web/frame").status_code == 400
        lost = client.get("/web/frame", headers={"X-Session-ID": "no-such"})
        assert lost.status_code == 404
        client.post("/reset")
        found = client.get("/web/frame")
        assert found.headers["content-type"] == "image/png"
        assert found.headers["cache-control"] == "no-store"


def test_the_file_of_a_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    file = png(picture)
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", file[16:24]) == (7, 5)
    start = file.index(b"IDAT") + 4
    length = struct.unpack(">I", file[start - 8 : start - 4])[0]
    rows = np.frombuffer(zlib.decompress(file[start : start + length]), np.uint8).reshape(5, 22)
    assert not rows[:, 0].any()
    assert np.array_equal(rows[:, 1:].reshape(5, 7, 3), picture)


@requires_peers
@pytest.mark.timeout(500)
def test_an_environment_of_openenv_draws_itself(page: Page) -> None:
    """Its render_web is shown in a frame that runs no script; web_actions are the buttons."""
    drawn, variables = "tests.openenv.adapted:Drawn", peer_environment()
    served = process(drawn, "--web", python=OPENENV.python, variables=variables)
    with served as (_, port):
        url = f"http://127.0.0.1:{port}"
        httpx.get(f"{url}/web/about", timeout=2 * START_LIMIT)
        page.set_viewport_size({"width": 360, "height": 740})
        page.goto(f"{url}/web")
        reset(page, "9")
        frame = page.frame_locator("#drawing")
        expect(frame.locator("#paid")).to_have_text("paid 0")
        size = "one => [one.clientWidth, one.clientHeight, getComputedStyle(one).backgroundColor]"
        assert frame.locator("#paid").evaluate(size) == [90, 40, "rgb(10, 93, 194)"]
        dot = frame.get_by_alt_text("dot")
        assert dot.evaluate("one => one.complete && one.naturalWidth") == 1
        actions = page.get_by_role("group", name="Actions").get_by_role("button")
        expect(actions).to_have_text(["arm 1", "arm 3"])
        choose(page, "arm 3", 1)
        expect(frame.locator("#paid")).to_have_text("paid 4")
        expect(frame.locator("p")).to_have_text("reward 12")
        choose(page, "arm 3", 2)  # an eight, which it fails to draw
        expect(page.locator("#undrawn")).to_contain_text("raised RuntimeError")
        expect(page.locator("#drawing")).to_be_hidden()
        choose(page, "1", 3)  # a nine, and the end
        expect(page.locator("#phase")).to_have_text("over")
        expect(page.locator("#undrawn")).to_be_hidden()
        expect(frame.locator("#paid")).to_have_text("paid 9")
        page.get_by_label("Step shown").fill("0")
        expect(frame.locator("#paid")).to_have_text("paid 0")
        assert page.title() == drawn  # no script of the drawing changed it
        assert overflow(page) == 0
        assert serious_findings(page) == []
