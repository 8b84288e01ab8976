"""Pushing an environment to Hugging Face, as a Space that builds and runs its image that serves."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from openenv_gym import registry
from openenv_gym.errors import AuthenticationError, ConnectError, OptionError, missing_package
from openenv_gym.registry.manifest import home
from openenv_gym_transports.images.export import export_context

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = ["push_space", "write_space"]

# A page, and whoever sees the Space may play: of a private one those who may see it.
VARIABLES = {"ENABLE_WEB_INTERFACE": "true", "OPENENV_GYM_OPEN": "1"}

_REPO_ID = re.compile(r"[\w.-]+/[\w.-]+")

_README = """\
---
title: {title}
emoji: 🎮
colorFrom: blue
colorTo: indigo
sdk: docker
app_port: 8000
base_path: /web
pinned: false
tags:
  - openenv
---

{text}
"""


def push_space(
    environment: str,
    repo_id: str,
    *,
    private: bool = False,
    base_image: str | None = None,
    include: Sequence[Path] = (),
) -> str:
    """Make a Space of an environment, or bring one that is there up to date, in one commit.

    Who may push is known by the variable ``HF_TOKEN``, or by ``hf auth login``; ``HF_ENDPOINT``
    names another hub.

    Args:
        environment: As of ``openenv-gym build``.
        repo_id: ``user/name`` of the Space.
        private: Only those who may see the Space can play there.
        base_image: What its image is built on, which the hub must be able to pull.
        include: Further files and package folders to be importable there.

    Returns:
        The address of the Space's page.

    Raises:
        OptionError: ``repo_id`` is not of that form.
        MissingDependencyError: ``huggingface_hub`` is not installed.
        AuthenticationError: The hub does not let you push there.
        ConnectError: The hub does not answer, or refuses.
    """
    if not _REPO_ID.fullmatch(repo_id):
        raise OptionError(
            f"--repo-id {repo_id!r} does not name a Space: write user/name.", repo_id=repo_id
        )
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise missing_package("Pushing a Space", "huggingface_hub", "hub") from error
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    with tempfile.TemporaryDirectory(prefix="openenv-gym-space-") as folder:
        write_space(Path(folder), environment, base_image=base_image, include=include)
        with _hub_errors(repo_id, api.endpoint):
            # Private before anything is in it, also where it was there and public.
            api.create_repo(
                repo_id, repo_type="space", space_sdk="docker", private=private, exist_ok=True
            )
            if private:
                api.update_repo_settings(repo_id, repo_type="space", private=True)
            for key, value in VARIABLES.items():
                api.add_space_variable(repo_id, key, value)
            _commit(api, repo_id, Path(folder))
    return f"{api.endpoint}/spaces/{repo_id}"


def write_space(
    folder: Path, environment: str, *, base_image: str | None = None, include: Sequence[Path] = ()
) -> None:
    """Write the files of a Space: what its image is built from, and the README that says so.

    Args:
        folder: An empty folder.
        environment: As of ``openenv-gym build``.
        base_image: What its image is built on.
        include: Further files and package folders to be importable there.
    """
    export_context(folder, environment, base_image=base_image, include=include, serve=True)
    name = registry.environment(environment).name
    (folder / "README.md").write_text(_readme(name), "utf-8")


def _readme(environment: str) -> str:
    entry = registry.environment(environment)
    place = home(entry)
    path = None if place is None else place / "README.md"
    text = path.read_text("utf-8") if path is not None and path.is_file() else entry.summary
    if text.startswith("---\n"):
        return text  # the front matter is the user's own
    title = Path(entry.folder).name if entry.folder else re.sub(r"\W+", " ", environment)
    return _README.format(title=title.replace("_", " ").title(), text=text.strip())


def _commit(api: HfApi, repo_id: str, folder: Path) -> None:
    """Make the Space's files those of a folder."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    files = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    there = api.list_repo_files(repo_id, repo_type="space")
    gone = [path for path in there if path not in files and path != ".gitattributes"]
    api.create_commit(
        repo_id,
        [
            *(CommitOperationDelete(path) for path in gone),
            *(CommitOperationAdd(path, file) for path, file in sorted(files.items())),
        ],
        commit_message="openenv-gym push",
        repo_type="space",
    )


@contextmanager
def _hub_errors(repo_id: str, endpoint: str) -> Iterator[None]:
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    # Of no answer at all the error is HTTPError of its HTTP library, which differs by release.
    http_error = cast("type[Exception]", HfHubHTTPError.__mro__[1])
    try:
        yield
    except (http_error, OSError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        fields = {"repo_id": repo_id, "endpoint": endpoint, "status": status}
        if status in (401, 403) or isinstance(error, LocalTokenNotFoundError):
            raise AuthenticationError(
                f"The hub at {endpoint} does not let you push the Space {repo_id}. Log in (hf auth "
                "login), or set the variable HF_TOKEN to a token that may write.",
                **fields,
            ) from error
        raise ConnectError(
            f"The Space {repo_id} was not pushed to {endpoint}: {error}.", **fields
        ) from error
