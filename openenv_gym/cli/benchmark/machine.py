"""What a measurement was made on: without it a figure says nothing."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

_PACKAGES = (
    "openenv-gym",
    "gymnasium",
    "numpy",
    "pydantic",
    "msgspec",
    "websockets",
    "httpx",
    "uvicorn",
    "uvloop",
    "httptools",
    "docker",
)


def describe() -> dict[str, Any]:
    """Versions, hardware, load, and a fingerprint of the machine."""
    hardware: dict[str, Any] = {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "architecture": platform.machine(),
    }
    identity = "\n".join(map(str, (*hardware.values(), platform.node(), _machine_id())))
    return {
        **hardware,
        "kernel": platform.release(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": list(os.getloadavg()),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {name: _version(name) for name in _PACKAGES},
        "fingerprint": hashlib.sha256(identity.encode()).hexdigest()[:16],
    }


def summary(machine: dict[str, Any]) -> str:
    """One line of it."""
    load = ", ".join(f"{value:.2f}" for value in machine["load"])
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']} {machine['kernel']}, Python {machine['python']}, load {load}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
