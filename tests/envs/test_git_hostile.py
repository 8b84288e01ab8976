"""Hostile git commands: each is refused or contained, and the next episode is clean."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import gymnasium
import pytest

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym_envs.git.folder import Folder, FolderLostError
from tests.troubles import running

Env = gymnasium.Env[Any, Any]


@pytest.fixture(
    scope="module", params=["inprocess", pytest.param("docker", marks=pytest.mark.docker)]
)
def env(request: pytest.FixtureRequest) -> Iterator[Env]:
    env = gymnasium.make("openenv/Git-v0", transport=request.param, task_id="free", timeout_s=3.0)
    env.reset(seed=0)
    yield env
    env.close()


def act(env: Env, **fields: str) -> dict[str, Any]:
    kinds = ("list_repos", "clone_repo", "execute_git_command")
    action = dict.fromkeys(("repo_name", "target_dir", "command", "working_dir", "stdin"), "")
    kind = kinds.index(fields.pop("action_type", "execute_git_command"))
    observation, *_ = env.step({"action_type": kind, **action, **fields})
    assert env.observation_space.contains(observation)
    reported: dict[str, Any] = observation
    return reported


def git(env: Env, command: str, where: str = "garden", stdin: str = "") -> dict[str, Any]:
    return act(env, command=command, working_dir=where, stdin=stdin)


def clean(env: Env) -> None:
    """A new episode is as the first."""
    env.reset(seed=0)
    assert act(env, action_type="clone_repo", repo_name="garden")["success"]
    reported = git(env, "status --porcelain --ignored --branch")
    assert reported["output"] == "## main...origin/main\n"
    names = [line.split("\t")[1] for line in git(env, "ls-remote")["output"].splitlines()]
    assert names == ["HEAD", "refs/heads/main", "refs/heads/pond"]


@pytest.mark.parametrize(
    "url",
    [
        "ext::id",
        "ext::sh -c id% >&2",
        "fd::17",
        "file:///workspace/garden",
        "/workspace/garden",
        "garden",
        "ssh://localhost/x",
        "git@localhost:x",
        "git://127.0.0.1/x",
        "https://127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1:{port}/openenv/garden.git",
        "http://localhost:{port}/x",
        "http://gitea:3000@127.0.0.1:{port}/openenv/garden.git",
        "http://gitea:3000/api/v1/user/repos",
        "http://gitea:3000/openenv/../../etc",
        "http://gitea:3000/other/garden.git",
    ],
)
def test_no_other_place_is_reached(env: Env, url: str) -> None:
    clean(env)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        url = url.format(port=listener.getsockname()[1])
        for command in (f"ls-remote '{url}'", f"clone '{url}' other", f"fetch '{url}'"):
            reported = git(env, command, "")
            assert not reported["success"], reported
            assert "uid=" not in reported["output"] + reported["error"]
        with pytest.raises(BlockingIOError):
            listener.accept()


def patch(path: str, *lines: str, mode: str = "100644") -> str:
    head = f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n"
    return head + f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)


@pytest.mark.parametrize(
    "path", [".git/hooks/pre-commit", ".git/config", ".GIT/config", "../x", "/workspace/x", ".git"]
)
def test_no_patch_is_written_to_where_git_reads_its_orders(env: Env, path: str) -> None:
    clean(env)
    reported = git(env, "apply -", stdin=patch(path, "#!/bin/sh", "id", mode="100755"))
    assert not reported["success"], reported


def test_no_program_of_the_repository_is_run(env: Env) -> None:
    """Hooks, filters and merge drivers are there, and git has been told of none."""
    clean(env)
    evil = ("#!/bin/sh", "echo R''AN >&2")
    written = patch("hooks/pre-commit", *evil, mode="100755")
    written += patch(".gitattributes", "* filter=x diff=x merge=x ident")
    written += patch(
        ".gitmodules", '[submodule "x"]', "\tpath = x", "\turl = ext::id", "\tupdate = !id"
    )
    written += patch("bare/HEAD", "ref: refs/heads/main")
    written += patch("bare/config", "[core]", "\tfsmonitor = echo R''AN >&2;", "\tbare = false")
    written += patch("bare/objects/x", "") + patch("bare/refs/x", "")
    assert git(env, "apply --index -", stdin=written)["success"]
    for command in (
        "commit -m x",
        "status",
        "diff HEAD~1",
        "checkout -B other HEAD~1",
        "merge main",
        "push origin other",
        "pull --rebase origin other",
    ):
        reported = git(env, command)
        assert "RAN" not in reported["output"] + reported["error"], reported
    for command in ("status", "rev-parse --git-dir", "log"):
        reported = git(env, command, "garden/bare")
        assert "RAN" not in reported["output"] + reported["error"], reported
    clean(env)


@pytest.mark.parametrize(
    "command",
    [
        "diff --no-index /dev/null /etc/passwd",
        "diff --no-index /dev/null /proc/self/environ",
        "diff --no-index /dev/null /proc/1/environ",
        "hash-object /etc/shadow",
        "commit --allow-empty -F /etc/hostname",
        "init /tmp/x",
        "init /usr/x",
        "init ../../tmp/x",
        "clone http://gitea:3000/openenv/garden.git /tmp/x",
        "mv pond.txt /tmp/x",
    ],
)
def test_no_file_elsewhere_is_read_or_written(env: Env, command: str) -> None:
    clean(env)
    reported = git(env, command)
    assert not reported["success"], reported
    for secret in ("root:", "PATH=", "OPENENV", "HOSTNAME"):
        assert secret not in reported["output"], reported


LINK = (
    "diff --git a/link b/link\nnew file mode 120000\n--- /dev/null\n+++ b/link\n"
    "@@ -0,0 +1,1 @@\n+.git\n\\ No newline at end of file\n"
)


@pytest.mark.parametrize(
    "command",
    [
        "mv -f evil .git/config",
        "mv -f evil .GIT/config",
        "mv -f evil link/config",
        "mv -f evil ./x/../.git/rebase-merge/git-rebase-todo",
        "clone http://gitea:3000/openenv/garden.git .git/rebase-merge",
        "clone http://gitea:3000/openenv/garden.git link/rebase-merge",
        "init .git/rebase-merge",
        "init --bare --initial-branch=.git/x link/x",
        "read-tree --prefix=.git/x/ HEAD",
    ],
)
def test_no_command_writes_what_git_takes_orders_from(env: Env, command: str) -> None:
    clean(env)
    written = patch("evil", '[filter "x"]', "\tclean = id") + LINK
    assert git(env, "apply --index -", stdin=written)["success"]
    reported = git(env, command)
    assert not reported["success"], reported
    assert "git's own" in reported["error"], reported
    clean(env)


@pytest.mark.parametrize("folder", [".git", ".git/refs", "link", "link/refs"])
def test_no_command_is_run_in_a_folder_of_gits_own(env: Env, folder: str) -> None:
    clean(env)
    assert git(env, "apply --index -", stdin=LINK)["success"]
    for command in ("status", "apply -", "format-patch -1"):
        reported = git(env, command, f"garden/{folder}", patch("config", "x"))
        assert not reported["success"], reported
        assert "git's own" in reported["error"], reported
    clean(env)


ORDERS = {
    ".git/config": '[filter "x"]\n\tclean = id\n',
    ".git/config.worktree": "[core]\n\tfsmonitor = id\n",
    ".git/commondir": "../elsewhere\n",
    ".git/rebase-merge/git-rebase-todo": "pick 1234567\n  exec id\n",
    "HEAD": "ref: refs/heads/main\n",
}


@pytest.mark.parametrize("path", ORDERS)
def test_a_repository_that_gives_orders_is_not_used(path: str) -> None:
    """By whatever way they came there: here by a program in the sandbox."""
    folder = Folder()
    try:
        assert folder.run(["init", "-q", "w"]).succeeded
        text = ORDERS[path].replace("\n", "\\n").replace("\t", "\\t")
        script = f"mkdir -p w/.git/rebase-merge w/objects w/refs; printf '{text}' > w/{path}"
        if path == ".git/config":
            script = script.replace(">", ">>")
        assert folder.run(["status"], "w").succeeded
        assert folder.run(["-c", f"alias.x=!{script}", "x"]).succeeded
        done = folder.run(["status"], "w")
        assert done.fate == "refused", done
        assert done.stderr, done
    finally:
        folder.close()


def test_what_git_itself_writes_into_its_configuration_does_no_harm(env: Env) -> None:
    clean(env)
    for command in (
        "config user.name 'Some Body'",
        "config pull.rebase true",
        "checkout -b topic",
        "push -u origin topic",
        "branch -m theme",
        "remote add other http://gitea:3000/openenv/garden.git",
        "fetch --tags other",
        "clone --sparse --depth=1 --filter=blob:none http://gitea:3000/openenv/garden.git sub",
        "status",
    ):
        reported = git(env, command)
        assert reported["success"], (command, reported)
    assert git(env, "status", "garden/sub")["success"]
    clean(env)


def test_a_command_without_end_is_killed_and_the_episode_goes_on(env: Env) -> None:
    clean(env)
    # A pattern that backtracks without end, on a line that does not match it.
    assert git(env, "apply --index -", stdin=patch("long.txt", "a" * 60_000 + "!"))["success"]
    reported = git(env, r"grep -P '^(a|a?)+(a|aa)+$(*LIMIT_MATCH=4294967295)' -- long.txt")
    slow = git(env, "grep -E '(.*)(.*)(.*)(.*)(.*)\\5\\4\\3\\2\\1x' -- long.txt")
    for one in (reported, slow):
        assert not one["success"]
    assert "[killed after 3 s]" in reported["error"] + slow["error"], (reported, slow)
    assert git(env, "status")["success"]
    clean(env)


def test_gigabytes_of_output_are_cut(env: Env) -> None:
    clean(env)
    line = "x" * 1000
    assert git(env, "apply --index -", stdin=patch("big.txt", *[line] * 60))["success"]
    git(env, "commit -m big")
    reported = git(env, "log -p " + " ".join(["--format=" + "%B%n" * 50]))
    assert reported["success"]
    assert len(reported["output"]) <= 16_384
    reported = git(env, "cat-file --batch", stdin="HEAD:big.txt\n" * 5000)
    assert not reported["success"]
    assert "killed by SIGXFSZ" in reported["error"]
    assert "[cut at" in reported["output"]
    clean(env)


@pytest.mark.parametrize("leaves", ["setpgrp", "1"])
def test_what_is_left_behind_ends_with_its_command_or_with_the_sandbox(leaves: str) -> None:
    """A hostile program could leave its group; an agent has no way to run one."""
    marker = f"marker-{os.getpid()}-{leaves}"
    program = f"!perl -e 'if (fork) {{ sleep 1; exit }} {leaves}; sleep 600' {marker}"
    folder = Folder()
    try:
        if leaves == "1":
            assert folder.run(["-c", f"alias.x={program}", "x"]).succeeded
        else:
            with pytest.raises(FolderLostError):
                folder.run(["-c", f"alias.x={program}", "x"])
            folder.clear()
        assert not running(marker)
        assert folder.run(["version"]).succeeded
    finally:
        folder.close()
