"""The networks of SUMO-RL that have traffic lights."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Name = Literal[
    "2way-single-intersection",
    "2x2grid",
    "3x3grid",
    "4x4-lucas",
    "4x4loop",
    "arterial4x4",
    "cologne1",
    "cologne3",
    "cologne8",
    "double",
    "grid4x4",
    "ingolstadt1",
    "ingolstadt7",
    "ingolstadt21",
    "nguyen",
    "single-intersection",
]


@dataclass(frozen=True)
class Network:
    """A road network with its traffic.

    Attributes:
        net_file: Path of the network, relative to :func:`folder` or absolute.
        route_file: Path of the traffic; likewise.
        additional_file: Path of another file that SUMO must load; likewise.
        begin_time: Second of the day at which the traffic begins.
        num_seconds: Simulated seconds of an episode.
    """

    net_file: str
    route_file: str
    additional_file: str | None = None
    begin_time: int = 0
    num_seconds: int = 20000

    def files(self) -> dict[str, str | None]:
        """Return the absolute paths of all files, by the names of the attributes."""
        home = folder()
        extra = self.additional_file
        return {
            "net_file": str(home / self.net_file),
            "route_file": str(home / self.route_file),
            "additional_file": None if extra is None else str(home / extra),
        }


def _resco(name: str, begin_time: int = 0, routes: str = "") -> Network:
    """Return a network of the RESCO benchmark, whose episodes last an hour."""
    stem = f"RESCO/{name}/{name}"
    return Network(f"{stem}.net.xml", f"{stem}{routes}.rou.xml", None, begin_time, 3600)


NETWORKS: dict[str, Network] = {
    "2way-single-intersection": Network(
        "2way-single-intersection/single-intersection.net.xml",
        "2way-single-intersection/single-intersection-gen.rou.xml",
    ),
    "2x2grid": Network("2x2grid/2x2.net.xml", "2x2grid/2x2.rou.xml"),
    "3x3grid": Network("3x3grid/3x3Grid2lanes.net.xml", "3x3grid/routes14000.rou.xml"),
    "4x4-lucas": Network("4x4-Lucas/4x4.net.xml", "4x4-Lucas/4x4c1c2c1c2.rou.xml"),
    "4x4loop": Network(
        "4x4loop/4x4loop.net.xml", "4x4loop/4x4loop.rou.xml", "4x4loop/circle.add.xml"
    ),
    "arterial4x4": _resco("arterial4x4", routes="_1"),
    "cologne1": _resco("cologne1", 25200),
    "cologne3": _resco("cologne3", 25200),
    "cologne8": _resco("cologne8", 25200),
    "double": Network("double/network.net.xml", "double/flow.rou.xml"),
    "grid4x4": _resco("grid4x4", routes="_1"),
    "ingolstadt1": _resco("ingolstadt1", 57600),
    "ingolstadt7": _resco("ingolstadt7", 57600),
    "ingolstadt21": _resco("ingolstadt21", 57600),
    "nguyen": Network("Nguyen/nguyentl.net.xml", "Nguyen/nguyenBlog.rou.xml"),
    "single-intersection": Network(
        "single-intersection/single-intersection.net.xml",
        "single-intersection/single-intersection.rou.xml",
    ),
}
"""The networks by name, without SUMO-RL's ``simple`` and ``OW``, which lack traffic lights."""


def folder() -> Path:
    """Return the folder of SUMO-RL's networks, without importing SUMO-RL."""
    spec = importlib.util.find_spec("sumo_rl")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'sumo_rl'", name="sumo_rl")
    return Path(spec.origin).parent / "nets"
