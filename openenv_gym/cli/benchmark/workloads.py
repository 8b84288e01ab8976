"""What is stepped: environments that do nothing (:mod:`openenv_gym_envs.noop`), and real ones.

Nothing of them is imported here: how long that takes is measured too.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import gymnasium

import openenv_gym

_NOOP = "openenv_gym_envs.noop"
_CLASSES = {"small": "Small", "84x84x4": "Stack", "210x160x3": "Frame", "text": "Page"}


@dataclass(frozen=True)
class Workload:
    """Something to step, the same for all candidates.

    Attributes:
        name: How it is called.
        id: Id of the environment of ours.
        plain: Id of the same as a plain ``gymnasium.Env``, if there is one.
        adapted: Id of that plain one as an environment of ours, which adapts it as it is.
        image: The bundled environment whose image can run it in a container.
        noop: An episode never ends, and any action will do: openenv's server has it too.
        options: Options of the environment of ours.
    """

    name: str
    id: str
    plain: str | None
    image: str
    noop: bool = True
    adapted: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def _noop(name: str, cls: str) -> Workload:
    plain, adapted = (f"openenv-bench/{kind}{cls}-v0" for kind in ("Plain", "Adapted"))
    return Workload(name, f"openenv-bench/{cls}-v0", plain, "echo", adapted=adapted)


WORKLOADS = {
    workload.name: workload
    for workload in (
        *(_noop(name, cls) for name, cls in _CLASSES.items()),
        Workload("chess", "openenv/Chess-v0", None, "chess", noop=False),
        Workload(
            "cartpole",
            "openenv/Gymnasium-v0",
            "CartPole-v1",
            "gymnasium",
            noop=False,
            options={"env_id": "CartPole-v1"},
        ),
    )
}


def register() -> None:
    """Registers the no-op environments and their plain twins with gymnasium."""
    for name, cls in _CLASSES.items():
        workload = WORKLOADS[name]
        assert workload.plain is not None
        assert workload.adapted is not None
        if workload.id not in gymnasium.registry:
            openenv_gym.register_environment(workload.id, f"{_NOOP}:{cls}")
            openenv_gym.register_environment(workload.adapted, f"{_NOOP}:Plain", workload=name)
            gymnasium.register(
                workload.plain, entry_point=f"{_NOOP}:Plain", kwargs={"workload": name}
            )


def make_ours(
    workload: Workload, transport: str, image: str | None = None
) -> gymnasium.Env[Any, Any]:
    """An environment of ours over a transport, as users make it.

    Args:
        workload: What it is.
        transport: Name of the transport.
        image: What a container runs; by default that of the workload, built if it is not there.
    """
    options = dict(workload.options)
    if transport == "docker":
        options["transport_options"] = {"image": image or image_of(workload)}
    return gymnasium.make(workload.id, transport=transport, **options)


def image_of(workload: Workload) -> str:
    """The image that can run a workload; built if it is not there."""
    from openenv_gym_transports.containers import engine
    from openenv_gym_transports.images import provide

    with contextlib.closing(engine.connect()) as client:
        return provide.provide(client, workload.image)
