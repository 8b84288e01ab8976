"""What ``deploy/`` says to Kubernetes is valid, and is what the server knows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from openenv_gym.cli import serve
from openenv_gym.server import metrics, variables
from openenv_gym.wire.names import HEALTH_PATH, READY_PATH

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
MANIFESTS = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
VERSIONS = ("1.31", kubernetes_validate.latest_version())


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_are_valid(path: Path) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(yaml.safe_load(path.read_text()), version, strict=True)


def test_the_kustomization_has_all_of_them() -> None:
    found = read("kustomization")
    assert sorted(found["resources"]) == [path.name for path in MANIFESTS]
    ignored = (FOLDER / ".gitignore").read_text().split()
    assert [name for each in found["secretGenerator"] for name in each["envs"]] == ignored


def test_the_pods_run_what_the_server_knows() -> None:
    pod = read("statefulset")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    command, *words = container["args"]
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    arguments = parser.parse_args(words)
    assert command == "serve"
    assert arguments.drain_timeout < pod["terminationGracePeriodSeconds"]
    assert arguments.workers == int(container["resources"]["requests"]["cpu"])
    assert arguments.port == container["ports"][0]["containerPort"]
    for probe, path in (
        ("startup", READY_PATH),
        ("readiness", READY_PATH),
        ("liveness", HEALTH_PATH),
    ):
        assert container[f"{probe}Probe"]["httpGet"]["path"] == path
    assert variables.TOKEN in (FOLDER.parent / "README.md").read_text()


def test_the_pods_are_hardened() -> None:
    pod = read("statefulset")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    policy = read("networkpolicy")["spec"]
    assert policy["egress"] == []
    assert "Egress" in policy["policyTypes"]


def test_everything_selects_the_same_pods() -> None:
    labels = read("statefulset")["spec"]["template"]["metadata"]["labels"]
    assert read("statefulset")["spec"]["selector"]["matchLabels"] == labels
    assert read("service")["spec"]["selector"] == labels
    assert read("networkpolicy")["spec"]["podSelector"]["matchLabels"] == labels
    assert read("poddisruptionbudget")["spec"]["selector"]["matchLabels"] == labels


def test_the_autoscaler_asks_for_a_metric_that_there_is() -> None:
    [asked] = read("horizontalpodautoscaler")["spec"]["metrics"]
    name = asked["pods"]["metric"]["name"]
    assert f'"{name.removeprefix("openenv_gym_")}"' in Path(metrics.__file__).read_text()
