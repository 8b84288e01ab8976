"""Transports as values: equal, printed, pickled, and added by third parties under a name."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from contextlib import closing
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import pytest

import openenv_gym
from openenv_gym import registry
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    EpisodeError,
    MissingDependencyError,
    OptionError,
    RegistryError,
)
from openenv_gym.sessions.session import Session
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings, Transport
from openenv_gym.wire.messages import Open, OpenVector, Reset, Step
from openenv_gym_transports.docker import DockerTransport
from openenv_gym_transports.http import HttpTransport
from openenv_gym_transports.inprocess import InProcessTransport
from openenv_gym_transports.process import ProcessTransport
from openenv_gym_transports.websocket import WebSocketTransport

VALUES: list[Transport] = [
    InProcessTransport(timeout=None),
    ProcessTransport(url="unix:///tmp/x"),
    WebSocketTransport(url="ws://far:1", token="secret-1", headers={"X": "secret-2"}),
    HttpTransport(url="https://far", token="secret-1", timeout=3.0),
    DockerTransport(image="i", variables={"KEY": "secret-3"}, mounts={"/data": "/tmp"}),
]


def names(transport: Transport) -> str:
    return transport.name


@pytest.mark.parametrize("transport", VALUES, ids=names)
class TestValues:
    def test_pickled_and_copied_ones_are_equal(self, transport: Transport) -> None:
        for other in (pickle.loads(pickle.dumps(transport)), copy.deepcopy(transport)):
            assert other == transport
            assert hash(other) == hash(transport)
            assert other is not transport
        assert len({*VALUES, transport}) == len(VALUES)
        assert transport != InProcessTransport(timeout=77.0)

    def test_no_secret_is_printed(self, transport: Transport) -> None:
        shown = repr(transport)
        assert shown.startswith(f"{type(transport).__name__}(")
        assert "secret" not in shown
        if transport.name == "http":
            assert shown == (
                "HttpTransport(timeout=3.0, start_timeout=60.0, url='https://far', token=..., "
                "output=True)"
            )

    def test_it_cannot_be_changed(self, transport: Transport) -> None:
        with pytest.raises(FrozenInstanceError):
            transport.timeout = 5.0  # type: ignore[misc]

    def test_nothing_of_it_is_a_link(self, transport: Transport) -> None:
        with pytest.raises(AttributeError):
            transport.exchange  # type: ignore[attr-defined]  # noqa: B018


def test_the_link_in_process_is_the_session() -> None:
    with InProcessTransport().open(Open("echo", {})) as link:
        assert isinstance(link, Session)
        assert link.description.environment == "echo"
        link.exchange(Reset(1))
        assert link.step("a")[0] == "a"
        link.send(Step("b"))
        assert link.ready(0.0)
        assert link.receive(1.0).observation == "b"  # type: ignore[attr-defined]
        with pytest.raises(EpisodeError, match="send"):
            link.receive(1.0)


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_after_close_the_link_refuses_and_says_what_was(transport: str) -> None:
    env = OpenEnvGym("echo", transport=transport)
    isolation, description = env.isolation, env.link.description
    env.close()
    env.close()
    assert env.isolation == isolation
    assert env.link.description is description
    assert env.space_sources == {}
    for call in (env.state, env.reset, env.render, lambda: env.step("x")):
        with pytest.raises(EpisodeError, match="closed: make a new one"):
            call()
    for method, argument in ((env.link.send, Reset(1)), (env.link.receive, 1.0)):
        with pytest.raises(EpisodeError, match="closed"):
            method(argument)  # type: ignore[operator]


# Transports of third parties


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Mirror(Transport):
    """Runs an environment of its own choice."""

    name: ClassVar[str] = "mirror"

    choice: str = "connect4"

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        session = Session()
        session.handle(Open(self.choice, {}))
        return session


class NoTransport:
    pass


@pytest.fixture
def _registered() -> Iterator[None]:
    before = dict(registry.registry._further_transports)
    yield
    registry.registry._further_transports.clear()
    registry.registry._further_transports.update(before)


@pytest.mark.usefixtures("_registered")
class TestRegistered:
    def test_by_name(self) -> None:
        openenv_gym.register_transport("mirror", f"{__name__}:Mirror")
        with closing(gymnasium.make("openenv/Echo-v0", transport="mirror")) as env:
            assert env.action_space == gymnasium.spaces.Discrete(7)
            assert env.get_wrapper_attr("isolation")["transport"] == "mirror"
        options: dict[str, Any] = {"transport_options": {"choice": "echo"}}
        with closing(OpenEnvGym("chess", transport="mirror", **options)) as env:
            env.reset()
            assert env.step("Hi")[0] == "Hi"

    def test_its_keywords_are_checked(self) -> None:
        openenv_gym.register_transport("mirror", f"{__name__}:Mirror")
        for options, said in (
            ({"choise": "x"}, "'choise' is unknown"),
            ({"choice": 1}, "choice=1"),
        ):
            with pytest.raises(OptionError, match=said):
                OpenEnvGym("echo", transport="mirror", transport_options=options)

    @pytest.mark.parametrize(
        ("name", "target", "said"),
        [
            ("docker", "a:B", "one of openenv-gym"),
            ("mine", "no_class", "'module:Class'"),
            ("mine", "module:", "'module:Class'"),
        ],
    )
    def test_what_is_refused(self, name: str, target: str, said: str) -> None:
        with pytest.raises(RegistryError, match=said):
            openenv_gym.register_transport(name, target)

    def test_what_is_no_transport(self) -> None:
        openenv_gym.register_transport("mine", f"{__name__}:NoTransport")
        with pytest.raises(RegistryError, match="makes a NoTransport, which is not a Transport"):
            OpenEnvGym("echo", transport="mine")
        openenv_gym.register_transport("mine", "tests.no_such_module:X")
        with pytest.raises((RegistryError, MissingDependencyError), match="no_such_module"):
            OpenEnvGym("echo", transport="mine")
        with pytest.raises(RegistryError, match="Did you mean 'mine'"):
            OpenEnvGym("echo", transport="mime")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that is installed in a folder of its own, as pip leaves it."""
    (tmp_path / "acme_wire.py").write_text(
        "from tests.transports.test_transport import Mirror\n\n\n"
        "class AcmeTransport(Mirror):\n    name = 'acme'\n"
    )
    info = tmp_path / "acme_wire-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-wire\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[openenv_gym.transports]\nacme = acme_wire:AcmeTransport\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.installed_transports.cache_clear()
    yield
    registry.installed_transports.cache_clear()


@pytest.mark.usefixtures("package")
def test_the_entry_point_of_an_installed_package() -> None:
    with closing(gymnasium.make("openenv/Echo-v0", transport="acme")) as env:
        assert env.get_wrapper_attr("isolation")["transport"] == "acme"
    with pytest.raises(RegistryError, match="Did you mean 'acme'"):
        registry.transport("acmee")
    assert registry.transport("acme").summary == "of the package acme-wire"
