"""Several servers of one environment: by a list of addresses, and behind a real proxy."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml

from openenv_gym.errors import ConnectError, OptionError, ServerFullError
from openenv_gym.testing import Env, play, same
from tests.environments import COUNT, THREADED
from tests.faults.proxy import Proxy
from tests.servers import Served, ended, process, serving

FACES = ("websocket", "http")
SCHEMES = {"websocket": "ws", "http": "http"}
RECIPES = Path(__file__).parents[2] / "deploy"


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def connect(transport: str, *servers: Served | int, start_timeout: float = 20.0) -> Env:
    ports = [each if isinstance(each, int) else each.port for each in servers]
    return gymnasium.make(
        "openenv/Remote-v0",
        url=[f"{SCHEMES[transport]}://127.0.0.1:{port}" for port in ports],
        transport_options={"start_timeout": start_timeout},
        disable_env_checker=True,
    )


@pytest.mark.parametrize("transport", FACES)
def test_the_first_that_takes_the_session(transport: str) -> None:
    """One address is dead, one server full, one is ending."""
    with ExitStack() as stack:
        full, ending, free = (
            stack.enter_context(serving(THREADED, max_sessions=1)) for _ in range(3)
        )
        ending.sessions.draining = True
        with connect(transport, full), connect(transport, dead_port(), full, ending, free) as env:
            env.reset()
            assert env.step(COUNT)[0]["count"] == 1
            assert [len(each.sessions) for each in (full, ending, free)] == [1, 0, 1]


def test_a_place_that_becomes_free_is_taken() -> None:
    with serving(THREADED, max_sessions=1) as server:
        first = connect("websocket", server)
        began = monotonic()
        with pytest.raises(ServerFullError):
            connect("websocket", server, start_timeout=0.5)
        assert monotonic() - began > 0.2
        first.close()
        connect("websocket", server).close()


def test_each_worker_of_a_vector_has_its_own_server() -> None:
    with serving("connect4") as one, serving("connect4") as two:
        urls = [one.url("websocket"), two.url("websocket")]
        envs = gymnasium.make_vec("openenv/Connect4-v0", 4, url=urls, workers=2)
        plain = gymnasium.make_vec("openenv/Connect4-v0", 4)
        assert [len(each.sessions) for each in (one, two)] == [2, 2]
        assert same(envs.reset(seed=3), plain.reset(seed=3))
        for column in (0, 3, 6):
            action = np.full(4, column)
            assert same(envs.step(action), plain.step(action))
        envs.close()
        plain.close()


def test_addresses_that_are_not() -> None:
    with pytest.raises(OptionError, match="has no address"):
        gymnasium.make("openenv/Echo-v0", transport="websocket", url=[])
    with pytest.raises(OptionError, match="takes ws://"):
        gymnasium.make("openenv/Echo-v0", url=["ws://127.0.0.1:1", "http://127.0.0.1:2"])
    with pytest.raises(ConnectError, match="No server answers"):
        connect("websocket", dead_port(), start_timeout=0.2)


def program(name: str) -> str | None:
    """Where a proxy is: a Debian package has it, or one of Python's."""
    places = [os.environ.get("PATH", os.defpath), sysconfig.get_path("scripts")]
    return shutil.which(name, path=os.pathsep.join(places))


@contextmanager
def haproxy(folder: Path, *ports: int) -> Iterator[int]:
    """HAProxy by our recipe, in front of servers on these ports; gives its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        lines = (RECIPES / "haproxy.cfg").read_text().splitlines()
        lines = [line for line in lines if "    server " not in line]
        lines += [f"    server s{each} 127.0.0.1:{each} check inter 100ms" for each in ports]
        recipe = folder / "haproxy.cfg"
        text = "\n".join(lines).replace("bind :8000", f"bind fd@{fd}").replace("20000", "200")
        recipe.write_text(text + "\n")
        command = ["haproxy", "-db", "-f", str(recipe)]
        proxy = subprocess.Popen(command, pass_fds=[fd], stderr=subprocess.DEVNULL)
    with ended(proxy):
        yield port


@contextmanager
def nginx(folder: Path, *ports: int) -> Iterator[int]:
    """Like :func:`haproxy`, for nginx: in one process, which may run as any user."""
    port = dead_port()
    text = (RECIPES / "nginx.conf").read_text().replace("listen 8000", f"listen 127.0.0.1:{port}")
    servers = "".join(f"server 127.0.0.1:{each};" for each in ports)
    text = re.sub(r"(\s+server server-\w+:8000;)+", servers, text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    recipe = folder / "nginx.conf"
    recipe.write_text(text.replace("http {", f"http {{ access_log off; {folders}"))
    settings = f"daemon off; master_process off; pid {folder}/pid;"
    log = folder / "log"
    command = ["nginx", "-c", str(recipe), "-g", settings, "-e", str(log)]
    proxy = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    pidfile, end = folder / "pid", monotonic() + 20.0
    with ended(proxy):
        while not (pidfile.exists() and pidfile.read_text()):  # written once it listens
            assert proxy.poll() is None, log.read_text()
            assert monotonic() < end, "it does not start"
            sleep(0.01)
        yield port


@contextmanager
def envoy(folder: Path, *ports: int) -> Iterator[int]:
    """Like :func:`haproxy`, for Envoy."""
    port = dead_port()
    recipe: Any = yaml.safe_load((RECIPES / "envoy.yaml").read_text())
    [listener], [cluster] = (recipe["static_resources"][key] for key in ("listeners", "clusters"))
    listener["address"]["socket_address"].update(address="127.0.0.1", port_value=port)
    addresses = [{"address": "127.0.0.1", "port_value": each} for each in ports]
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = [
        {"endpoint": {"address": {"socket_address": address}}} for address in addresses
    ]
    cluster["health_checks"][0].update(interval="0.1s", no_traffic_interval="0.1s")
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump(recipe))
    command = [str(program("envoy")), "-c", str(path), "--concurrency", "1"]
    command += ["--use-dynamic-base-id"]  # beside others on this machine
    with (folder / "log").open("w") as log:
        proxy = subprocess.Popen(command, stdout=log, stderr=log)
    with ended(proxy):
        wait_for(port, proxy, folder / "log")
        yield port


def wait_for(port: int, proxy: subprocess.Popen[bytes], log: Path) -> None:
    end = monotonic() + 30.0
    while True:
        assert proxy.poll() is None, log.read_text()
        assert monotonic() < end, "it does not start"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        sleep(0.01)


def sessions_of(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
        found = re.search(rb"^openenv_gym_sessions{.*} (\S+)", reply.read(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


Balance = Callable[..., AbstractContextManager[int]]
behind_proxies = pytest.mark.parametrize(
    "balance",
    [
        pytest.param(
            balance,
            id=name,
            marks=pytest.mark.skipif(not program(name), reason=f"there is no {name}"),
        )
        for name, balance in (("haproxy", haproxy), ("nginx", nginx), ("envoy", envoy))
    ],
)


@behind_proxies
@pytest.mark.parametrize("transport", FACES)
def test_behind_a_proxy_through_cuts(tmp_path: Path, balance: Balance, transport: str) -> None:
    with gymnasium.make("openenv/Connect4-v0") as plain:
        expected = list(play(plain, seed=5, steps=40))
    with (
        serving("connect4") as one,
        serving("connect4") as two,
        balance(tmp_path, one.port, two.port) as port,
        Proxy(port) as cutting,
    ):
        url = f"{SCHEMES[transport]}://127.0.0.1:{cutting.port}"
        cutting.spared, cutting.fault = 5, "after"
        with gymnasium.make("openenv/Connect4-v0", url=url) as env:
            got = []
            for number, transition in enumerate(play(env, seed=5, steps=40)):
                got.append(transition)
                if number % 5 == 0:
                    cutting.drop()
        assert cutting.accepted > 5
        assert same(got, expected)


@behind_proxies
def test_opening_waits_for_the_first_server(tmp_path: Path, balance: Balance) -> None:
    """The proxy answers 502 or 503 as long as there is none."""
    with (
        serving("connect4") as server,
        Proxy(dead_port()) as away,
        balance(tmp_path, away.port) as port,
    ):
        url = f"ws://127.0.0.1:{port}"
        with pytest.raises(ConnectError, match=r"HTTP 50[23]"):
            gymnasium.make("openenv/Connect4-v0", url=url, transport_options={"start_timeout": 0.5})
        started = threading.Timer(0.5, setattr, (away, "upstream", server.port))
        started.start()
        with gymnasium.make("openenv/Connect4-v0", url=url) as env:
            env.reset()
        started.join()


@behind_proxies
def test_a_server_that_is_killed_costs_its_own_lanes(tmp_path: Path, balance: Balance) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(process("connect4")) for _ in range(2)]
        ports = [port for _, port in servers]
        port = stack.enter_context(balance(tmp_path, *ports))
        envs = gymnasium.make_vec(
            "openenv/Connect4-v0",
            4,
            workers=4,
            url=[f"ws://127.0.0.1:{port}"],
            timeout=10.0,
            on_failure="restart",
            max_restarts=50,
        )
        envs.reset(seed=1)
        envs.step(np.full(4, 3))
        lost = sessions_of(ports[0])
        servers[0][0].kill()
        truncated = np.zeros(4, int)
        for column in range(7):
            *_, cut, _ = envs.step(np.full(4, column))
            truncated += cut
        assert truncated.sum() == lost
        assert sessions_of(ports[1]) == 4
        envs.close()


@contextmanager
def restarted() -> Iterator[tuple[int, Callable[[], None]]]:
    """A server that is started again when it is killed; gives its port, and what kills it."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        fd = listener.fileno()
        command = [sys.executable, "-m", "openenv_gym.cli", "serve", THREADED, "--network"]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen([*command, "--fd", str(fd)], pass_fds=[fd], env=variables)

        running = [start()]

        def kill() -> None:
            running[-1].kill()
            running.append(start())

        try:
            yield listener.getsockname()[1], kill
        finally:
            for each in running:
                each.kill()
                each.wait()


def test_a_fleet_whose_servers_are_killed_reports_each_loss() -> None:
    num_envs, count = 24, np.full(24, COUNT)
    with ExitStack() as stack:
        servers = [stack.enter_context(restarted()) for _ in range(3)]
        envs = gymnasium.make_vec(
            "openenv/Remote-v0",
            num_envs,
            workers=6,
            url=[f"ws://127.0.0.1:{port}" for port, _ in servers],
            timeout=100.0,
            transport_options={"start_timeout": 100.0},
            on_failure="restart",
            max_restarts=50,
        )
        stack.callback(envs.close)
        envs.reset(seed=1)
        counts = np.zeros(num_envs, int)
        for port, kill in servers[:2]:
            on_it = sessions_of(port)
            timer = threading.Timer(0.05, kill)  # in the midst of a step
            timer.start()
            lost = np.zeros(num_envs, bool)
            left = 4  # steps after it: a dying server may still answer one
            while left:
                left -= not timer.is_alive()
                observations, _, _, truncated, infos = envs.step(count)
                cut = infos.get("_failure", np.zeros(num_envs, bool))
                assert (cut == truncated).all()
                counts = np.where(lost & (observations["count"] == 0), 0, counts + 1)
                assert (observations["count"][~cut] == counts[~cut]).all()
                lost |= cut
            assert lost.sum() == on_it == 8
        observations, *_ = envs.step(count)
        assert (observations["count"] == counts + 1).all()
