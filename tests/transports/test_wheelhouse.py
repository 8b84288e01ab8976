"""A wheelhouse holds what an image needs, or the error says what is missing and how to get it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from openenv_gym.errors import BuildError, ImageMissingError, OptionError
from openenv_gym_transports.images.build import build_image
from openenv_gym_transports.images.contents import requirements
from openenv_gym_transports.images.wheelhouse import check, command


def wheelhouse(folder: Path, *wheels: str) -> Path:
    """A folder with empty wheels of these names and versions."""
    for wheel in wheels:
        (folder / f"{wheel}-py3-none-any.whl").touch()
    return folder


def test_what_is_needed_is_there(tmp_path: Path) -> None:
    check(
        wheelhouse(tmp_path, "My_Package-1.10", "other-2.0rc1"),
        ["my-package==1.10", "other>=2.0rc1"],
    )


def test_an_empty_one_is_told_how_it_is_filled(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="holds no wheels") as caught:
        check(tmp_path, ["one==1.0"])
    assert command(tmp_path, ["pip", "one==1.0"]) in str(caught.value)


def test_another_version_and_a_missing_package(tmp_path: Path) -> None:
    folder = wheelhouse(tmp_path, "one-1.0", "two-2.1", "two-2.0", "pip-25.0")
    with pytest.raises(BuildError) as caught:
        check(folder, ["one==1.0", "two==2.2", "three>=3"])
    message = str(caught.value)
    assert caught.value.fields == {"wheelhouse": str(folder), "lacking": ["two==2.2", "three>=3"]}
    assert "two==2.2 (it holds 2.0, 2.1); three>=3 (it holds none)" in message
    assert f"pip wheel --wheel-dir {folder} two==2.2 'three>=3'" in message


def test_the_command_can_be_pasted() -> None:
    words = shlex.split(command("/a folder", ["one<3,>=2", "two[extra]==1"]))
    assert words == ["pip", "wheel", "--wheel-dir", "/a folder", "one<3,>=2", "two[extra]==1"]


def test_a_build_from_a_stale_one_fails_before_it_begins(tmp_path: Path) -> None:
    wheelhouse(tmp_path, "numpy-0.9")
    with pytest.raises(BuildError, match=r"numpy==[\d.]+ \(it holds 0\.9\)") as caught:
        build_image("echo", wheelhouse=tmp_path)
    assert set(caught.value.fields["lacking"]) == set(requirements("echo"))


@pytest.mark.docker
def test_the_first_use_says_it_too(
    engine: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openenv_gym_transports.images import provide

    monkeypatch.setenv("OPENENV_GYM_WHEELHOUSE", str(wheelhouse(tmp_path, "numpy-0.9")))
    # A name that no image has: that of the echo environment may be there already.
    monkeypatch.setattr(provide, "image_name", lambda environment: "openenv-gym-test/absent:1")
    with pytest.raises(ImageMissingError, match=r"it holds 0\.9") as caught:
        provide.provide(engine, "echo")  # type: ignore[arg-type]
    assert caught.value.fields["wheelhouse"] == str(tmp_path)
