"""Commands of an agent: which git subcommands and options there are for it.

Git runs other programs (hooks, aliases, pagers, transports) and writes files where it is told to,
its own configuration among them. The sandbox contains that; what is refused here keeps a task about
git, and its outputs repeatable. ``sandbox/inside/git_config.py`` looks at what is there once more.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

_SUBCOMMANDS = """
    add am annotate apply bisect blame branch cat-file check-ignore checkout cherry cherry-pick
    clean clone commit commit-tree config describe diff diff-index diff-tree fetch
    for-each-ref format-patch fsck grep hash-object init log ls-files ls-remote ls-tree merge
    merge-base merge-file merge-tree mktag mktree mv name-rev notes patch-id pull push range-diff
    read-tree rebase reflog remote replace rerere reset restore rev-list rev-parse revert rm
    shortlog show show-branch show-ref stash status stripspace switch symbolic-ref tag
    update-index update-ref verify-commit verify-tag version whatchanged write-tree
"""
SUBCOMMANDS = frozenset(_SUBCOMMANDS.split())
"""All that an agent can run."""

_NOT_THESE = (
    "exec exec-path help open-files-in-pager output output-directory receive-pack "
    "recurse-submodules separate-git-dir template upload-pack"
)
_LONG = _NOT_THESE.split()
"""Options that no subcommand is given: they run a program, or write to another place."""

_OWN_LONG = {
    "apply": ("build-fake-ancestor", "unsafe-paths"),
    "clone": ("config", "bundle-uri"),
    "format-patch": ("suffix",),
    "ls-files": ("debug",),
    "read-tree": ("index-output",),
}
_SHORT = {"clone": "cu", "format-patch": "o", "grep": "O", "rebase": "x"}
"""The same, of one subcommand, and by their letters."""

_STEPS = {
    "bisect": ("run", "visualize", "view"),
    "reflog": ("expire", "delete"),
}
"""What follows a subcommand and is refused."""

_STRATEGIES = frozenset({"ort", "recursive", "resolve", "octopus", "ours", "subtree"})
"""Of merging. Of any other name git runs the program ``git-merge-NAME``, and so ``merge-file``."""

_MERGES = frozenset({"cherry-pick", "merge", "pull", "rebase", "revert"})
_SHORT_STRATEGY = frozenset({"merge", "pull", "rebase"})  # to the others -s is --signoff
_TAKES_THE_REST = "mFXSCj"  # letters of options that what follows in the word belongs to

_REFERENCE = re.compile(r"HEAD|refs/[^/]+(/[^/]+)*")

_CONFIG_ASKS = frozenset({"--get", "--get-all", "--get-regexp", "--list", "-l"})
_CONFIG_READS = _CONFIG_ASKS | {"--local", "--name-only", "--bool", "--int"}
_CONFIG_WRITES = frozenset({"--unset", "--unset-all", "--local", "--add", "--bool", "--int"})
_CONFIG_KEYS = re.compile(
    r"(user\.(name|email)|pull\.(rebase|ff)|push\.(default|autosetupremote)|merge\.(conflictstyle|ff)"
    r"|rebase\.(autosquash|autostash)|rerere\.enabled|advice\.\w+"
    r"|branch\.[^\n]+\.(remote|merge|rebase))",
    re.IGNORECASE,
)


class RefusedError(Exception):
    """A command that is not for an agent; the text says why, and what there is instead."""


def parse(command: str) -> list[str]:
    """The arguments behind ``git`` of a command line.

    Args:
        command: As one would type it, with or without ``git``.

    Raises:
        RefusedError: It is not for an agent.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise RefusedError(f"The command cannot be read: {error}.") from error
    if any("\0" in word for word in words):
        raise RefusedError("The command has a null character in it.")
    if words[:1] == ["git"]:
        del words[0]
    while words[:1] in (["--no-pager"], ["-P"]):
        del words[0]
    if not words:
        raise RefusedError("There is no command: give one, such as 'status'.")
    subcommand, *arguments = words
    if subcommand.startswith("-"):
        raise RefusedError(
            f"The option {subcommand!r} before the subcommand is not allowed; working_dir= says "
            "where to run it."
        )
    if subcommand not in SUBCOMMANDS:
        raise RefusedError(
            f"git {subcommand} is not allowed. There are: {', '.join(sorted(SUBCOMMANDS))}."
        )
    _check(subcommand, arguments)
    return words


def _check(subcommand: str, arguments: Sequence[str]) -> None:
    if subcommand == "config":
        _check_config(arguments)
        return
    if arguments and arguments[0] in _STEPS.get(subcommand, ()):
        raise _refused(subcommand, arguments[0])
    if subcommand == "merge-file" and not {"-p", "--stdout"} & set(arguments):
        raise RefusedError("git merge-file writes to a file: give -p, to have it printed.")
    if subcommand == "symbolic-ref":
        _check_references(arguments)
    if subcommand in _MERGES:
        _check_strategies(subcommand, arguments)
    denied = [*_LONG, *_OWN_LONG.get(subcommand, ())]
    letters = _SHORT.get(subcommand, "")
    for argument in arguments:
        if argument == "--":
            return
        if argument.startswith("--"):
            # Git takes any beginning of a name that is unique, so each may stand for it.
            name = argument[2:].partition("=")[0].removeprefix("no-")
            if any(one.startswith(name) for one in denied):
                raise _refused(subcommand, argument)
        elif argument.startswith("-") and set(argument[1:]) & set(letters):
            raise _refused(subcommand, argument)


def _check_references(arguments: Sequence[str]) -> None:
    """Refuses a name that is a file of git's own, and no reference."""
    names = [one for one in arguments if not one.startswith("-")]
    if names and (not _REFERENCE.fullmatch(names[0]) or ".." in names[0]):
        raise _refused("symbolic-ref", names[0])


def _check_strategies(subcommand: str, arguments: Sequence[str]) -> None:
    following = [*arguments[1:], ""]
    for argument, after in zip(arguments, following, strict=True):
        name, equals, value = argument[2:].partition("=")
        chosen = None
        if argument == "--":
            return
        if argument.startswith("--"):
            # Git takes any beginning of a name that is unique.
            if name and "strategy".startswith(name):
                chosen = value if equals else after
        elif argument.startswith("-s") and subcommand in _SHORT_STRATEGY:
            chosen = argument[2:] or after
        elif argument.startswith("-") and subcommand in _SHORT_STRATEGY:
            letters = re.split(f"[{_TAKES_THE_REST}]", argument[1:], maxsplit=1)[0]
            if "s" in letters:
                raise _refused(subcommand, argument)
        if chosen is not None and chosen not in _STRATEGIES:
            raise _refused(subcommand, argument, *([after] if chosen == after else []))


def _check_config(arguments: Sequence[str]) -> None:
    options = {one for one in arguments if one.startswith("-")}
    names = [one for one in arguments if not one.startswith("-")]
    if options & _CONFIG_ASKS:
        if not options <= _CONFIG_READS:
            raise _refused("config", *sorted(options - _CONFIG_READS))
        return
    if not options <= _CONFIG_WRITES:
        raise _refused("config", *sorted(options - _CONFIG_WRITES))
    if len(names) == 1 and not options:
        return  # it is read
    if not names or not _CONFIG_KEYS.fullmatch(names[0]):
        raise _refused("config", *names[:1])


def _refused(subcommand: str, *what: str) -> RefusedError:
    return RefusedError(f"git {subcommand} {' '.join(what)} is not allowed.")
