"""The image: what goes into it, and that it builds with no network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from openenv_gym import registry
from openenv_gym.cli import main
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import BuildError, OptionError, RegistryError
from openenv_gym_transports.docker import DockerTransport
from openenv_gym_transports.images import contents
from openenv_gym_transports.images.build import build_image
from openenv_gym_transports.images.contents import image_name, requirements, write_context
from openenv_gym_transports.images.own import find_inside
from openenv_gym_transports.images.provide import provide

if TYPE_CHECKING:
    from docker import DockerClient


def names(lines: list[str]) -> set[str]:
    return {re.split(r"[=<>!~\[]", line)[0] for line in lines}


class TestRequirements:
    def test_only_what_the_server_needs(self) -> None:
        core = {"gymnasium", "msgspec", "numpy", "pydantic", "typing-extensions"}
        assert names(requirements("echo")) == core
        assert names(requirements("chess")) == core | {"chess", "pillow"}
        assert names(requirements("some.module:Class")) == core

    def test_pinned_to_what_runs_here(self) -> None:
        import numpy

        assert f"numpy=={numpy.__version__}" in requirements("echo")

    def test_what_is_not_installed_keeps_its_range(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            contents.importlib.metadata,
            "requires",
            lambda name: [
                "absent<3,>=2; extra == 'chess'",
                "other; extra == 'all'",
                "elsewhere; sys_platform == 'win32'",
                "inside; sys_platform == 'linux'",
                "numpy[dev]>=2",
            ],
        )
        lines = requirements("chess")
        assert "absent<3,>=2" in lines
        assert "inside" in lines
        assert names(lines) == {"absent", "inside", "numpy"}
        assert any(line.startswith("numpy[dev]==") for line in lines)

    def test_unknown_environment(self) -> None:
        with pytest.raises(RegistryError, match="chess"):
            requirements("ches")


class TestContext:
    def test_holds_packages_and_pins(self, tmp_path: Path) -> None:
        write_context(tmp_path, "chess")
        assert {path.name for path in tmp_path.iterdir()} == {
            "Dockerfile",
            "packages",
            "requirements.txt",
            "wheelhouse",
        }
        assert not any((tmp_path / "wheelhouse").iterdir())
        assert {path.name for path in (tmp_path / "packages").iterdir()} == set(contents.PACKAGES)
        assert (tmp_path / "packages/openenv_gym/py.typed").is_file()
        files = [path for path in (tmp_path / "packages").rglob("*") if path.is_file()]
        assert not [path for path in files if path.suffix == ".pyc"]
        # The ordinary user of the container must be able to read them.
        assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
        written = (tmp_path / "requirements.txt").read_text().splitlines()
        assert written == requirements("chess")

    def test_included_files_and_packages(self, tmp_path: Path) -> None:
        package = tmp_path / "mine"
        (package / "tests").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "tests" / "test_it.py").write_text("")
        module = tmp_path / "single.py"
        module.write_text("")
        target = tmp_path / "context"
        target.mkdir()
        write_context(target, "mine:Env", include=[package, module])
        assert (target / "packages/mine/__init__.py").is_file()
        assert (target / "packages/single.py").is_file()
        assert not (target / "packages/mine/tests").exists()

    def test_the_files_of_an_own_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of a package, of the module of its models, and of a script."""
        package = tmp_path / "mine_here"
        (package / ".venv").mkdir(parents=True)
        (package / ".venv" / "secret").write_text("")
        (package / ".env").write_text("TOKEN=1")
        (package / "env.py").write_text("")
        for name in ("mine_models", "script"):
            (tmp_path / f"{name}.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path))
        target = tmp_path / "context"
        target.mkdir()
        write_context(target, "mine_here.env:Env[mine_models:Act,]")
        copied = {str(path.relative_to(target)) for path in target.rglob("packages/mine_*/**/*")}
        assert copied == {"packages/mine_here/env.py"}
        assert (target / "packages/mine_models.py").is_file()
        script = find_inside(f"{tmp_path}/script.py:Env")
        assert script.name == "/opt/openenv-gym/packages/script.py:Env"
        assert script.files == (tmp_path / "script.py",)

    def test_a_folder_and_what_it_depends_on(self, tmp_path: Path) -> None:
        folder = tmp_path / "own_env"
        folder.mkdir()
        (folder / "openenv.yaml").write_text("environment: environment:Own\n")
        (folder / "environment.py").write_text("class Own: pass\n")
        (folder / "pyproject.toml").write_text(
            "[project]\ndependencies = ['openenv-gym[server]', 'h11', 'absent>=2']"
        )
        target = tmp_path / "context"
        target.mkdir()
        write_context(target, str(folder))
        written = (target / "packages/own_env/openenv.yaml").read_text()
        assert json.loads(written) == {"environment": "environment:Own"}
        assert {"h11", "absent"} <= names(requirements(str(folder)))
        assert "absent>=2" in requirements(str(folder))
        assert find_inside(str(folder)).name == "/opt/openenv-gym/packages/own_env"

    def test_only_the_wheels_that_are_needed(self, tmp_path: Path) -> None:
        wheelhouse, target = tmp_path / "wheels", tmp_path / "context"
        for folder in (wheelhouse, target):
            folder.mkdir()
        needed = {f"{name}-1.0-py3-none-any.whl" for name in ("pip", "numpy", "pydantic_core")}
        for name in {*needed, "torch-2.0-py3-none-any.whl", "chess-1.11-py3-none-any.whl"}:
            (wheelhouse / name).touch()
        write_context(target, "connect4", wheelhouse)
        assert {path.name for path in (target / "wheelhouse").iterdir()} == needed

    def test_all_wheels_where_it_is_not_known_which(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheelhouse, target = tmp_path / "wheels", tmp_path / "context"
        for folder in (wheelhouse, target):
            folder.mkdir()
        (wheelhouse / "torch-2.0-py3-none-any.whl").touch()
        monkeypatch.setattr(
            contents, "requirements", lambda environment, serve: ["not-installed-here"]
        )
        write_context(target, "connect4", wheelhouse)
        assert [path.name for path in (target / "wheelhouse").iterdir()] == [
            "torch-2.0-py3-none-any.whl"
        ]


class TestName:
    def test_one_name_for_one_content(self) -> None:
        assert image_name("echo") == image_name("echo")
        assert re.fullmatch(r"openenv-gym/echo:0\.1\.0-[0-9a-f]{12}", image_name("echo"))
        assert image_name("My.module:Env").startswith("openenv-gym/my-module-env:")

    def test_a_changed_source_is_another_image(self, tmp_path: Path) -> None:
        module = tmp_path / "single.py"
        module.write_text("x = 1\n")
        first = image_name("single:Env", [module])
        contents._image_name.cache_clear()
        module.write_text("x = 2\n")
        assert image_name("single:Env", [module]) != first


class TestRefused:
    def test_empty_wheelhouse(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="pip wheel --wheel-dir") as caught:
            build_image("echo", wheelhouse=tmp_path)
        assert caught.value.fields["wheelhouse"] == str(tmp_path)

    def test_a_module_that_is_nowhere(self) -> None:
        with pytest.raises(BuildError, match=r"without its module 'nowhere'.*--include PATH"):
            build_image("nowhere.inside:Env")

    def test_a_class_of_a_notebook(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("openenv_gym.registry.registry.main_name", lambda: "__main__")
        with pytest.raises(BuildError, match="put it into a module"):
            build_image("__main__:NoSuchEnv")

    def test_nothing_to_include(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="is not a file or folder"):
            build_image("a:B", include=[tmp_path / "absent.py"])

    def test_unknown_environment(self) -> None:
        with pytest.raises(RegistryError):
            build_image("no-such-environment")


@pytest.mark.docker
@pytest.mark.timeout(600)
class TestBuild:
    def test_by_the_command(self, engine: DockerClient) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "openenv_gym.cli", "build", "echo"],
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == image_name("echo")
        image = engine.images.get(image_name("echo"))
        assert image.labels["org.openenv-gym.environment"] == "echo"
        assert image.labels["org.openenv-gym.content"] in image_name("echo")
        assert image.attrs["Config"]["User"] == "65534:65534"

    def test_by_another_builder(
        self, engine: DockerClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What --context writes is all that docker build needs."""
        context, tag = tmp_path / "context", "openenv-gym-test/context:1"
        words = ["build", "echo", "--context", str(context)]
        if "OPENENV_GYM_WHEELHOUSE" in os.environ:
            words += ["--wheelhouse", os.environ["OPENENV_GYM_WHEELHOUSE"]]
            words += ["--base-image", os.environ["OPENENV_GYM_BASE_IMAGE"]]
        assert main(words) == 0
        assert main(words) == 1
        assert "has files already" in capsys.readouterr().err
        try:
            network = "none" if "OPENENV_GYM_WHEELHOUSE" in os.environ else None
            engine.images.build(path=str(context), tag=tag, network_mode=network, rm=True)
            assert (
                engine.images.get(tag).labels == engine.images.get(provide(engine, "echo")).labels
            )
            with closing(OpenEnvGym("echo", transport=DockerTransport(image=tag))) as env:
                assert env.reset(seed=1)
        finally:
            engine.images.remove(tag, force=True)

    def test_what_is_there_is_not_built_again(
        self, engine: DockerClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        provide(engine, "echo")
        capsys.readouterr()
        assert provide(engine, "echo", build=False) == image_name("echo")
        assert not capsys.readouterr().err

    def test_own_environment(self, engine: DockerClient, tmp_path: Path) -> None:
        module = tmp_path / "own_environment.py"
        module.write_text("class Own: pass\n")
        tag = "openenv-gym-test/own:1"
        try:
            name = build_image("own_environment:Own", tag=tag, include=[module])
            assert name == tag
            out = engine.containers.run(
                tag,
                entrypoint=["python3", "-c"],
                command=["import own_environment as o; print(o.__file__, o.Own)"],
                network_mode="none",
                remove=True,
            )
            assert b"/opt/openenv-gym/packages/own_environment.py" in out
        finally:
            engine.images.remove(tag, force=True)

    def test_same_versions_inside(self, engine: DockerClient) -> None:
        name = provide(engine, "echo")
        out = engine.containers.run(
            name,
            entrypoint=["python3", "-c"],
            command=["import numpy, sys; print(numpy.__version__, numpy.__cached__)"],
            network_mode="none",
            remove=True,
        )
        import numpy

        version, cached = out.decode().split()
        assert version == numpy.__version__
        assert cached.endswith(".pyc")

    def test_a_base_image_that_cannot_be_had(self, engine: DockerClient) -> None:
        with pytest.raises(BuildError, match="--base-image") as caught:
            build_image("echo", base_image="localhost:9/absent:1")
        assert caught.value.fields["base_image"] == "localhost:9/absent:1"

    def test_the_log_of_a_failed_build(self, engine: DockerClient, tmp_path: Path) -> None:
        # Wheels that are none, and where the base image has no pip, no pip either.
        for line in requirements("echo"):
            wheel = line.replace("-", "_").replace("==", "-")
            (tmp_path / f"{wheel}-py3-none-any.whl").touch()
        with pytest.raises(BuildError) as caught:
            build_image("echo", wheelhouse=tmp_path)
        assert any("pip" in line for line in caught.value.fields["log"])
        assert caught.value.fields["log"][-1] in str(caught.value)


def test_every_bundled_environment_has_its_extra() -> None:
    import importlib.metadata

    extras = importlib.metadata.metadata("openenv-gym").get_all("Provides-Extra")
    assert set(registry.ENVIRONMENTS) <= set(extras or ())
