"""The built-in tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from openenv_gym_envs.git.history import ALICE, BOB, History
from openenv_gym_envs.git.repository_server import Repository
from openenv_gym_envs.git.task import Task


class ResolveConflict(Task):
    """Two branches that changed the same line, to be merged."""

    id = "resolve-conflict"
    repository = "weather-station"
    description = "Readings of a weather station"
    instruction = (
        "Merge the branch `sensors` into `main` with a merge commit and push `main`. Both changed "
        "settings.ini: take that file as `sensors` has it, and keep all else that either did."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        every = int(random.integers(2, 60))
        base = history.commit(
            "Read the thermometer",
            {"README.md": "# Weather station\n", "settings.ini": "interval = 60\nunit = C\n"},
        )
        history.branch("sensors", base)
        history.commit("Read more often", {"settings.ini": f"interval = {every}\nunit = C\n"})
        history.commit("Say how to install", {"INSTALL.md": "pip install weather\n"})
        history.commit("Add a barometer", {"barometer.txt": "hPa\n"}, "sensors", BOB)
        history.commit(
            "Read in Kelvin",
            {"settings.ini": f"interval = {every + 60}\nunit = K\n"},
            "sensors",
            BOB,
        )

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        tips = self.history.tips
        ours, theirs = self.history.files(tips["main"]), self.history.files(tips["sensors"])
        return repository.parents("refs/heads/main") == [
            self.marks[tips["main"]],
            self.marks[tips["sensors"]],
        ] and self._has(repository, "refs/heads/main", {**ours, **theirs})


class FindBadCommit(Task):
    """The commit from which on a test fails."""

    id = "find-bad-commit"
    repository = "calculator"
    description = "A calculator, and what its test said at each commit"
    instruction = (
        "At each commit of `main`, test-result.txt says PASS or FAIL. Find the first commit with "
        "FAIL, tag it `first-bad`, and push the tag. Once it fails it goes on to fail, so "
        "`git bisect` needs few steps."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        bad = int(random.integers(2, 23))
        for number in range(24):
            reported = "FAIL: 2 + 2 = 5" if number >= bad else "PASS: 2 + 2 = 4"
            mark = history.commit(
                f"Change {number + 1}",
                {"calculator.txt": f"version {number + 1}\n", "test-result.txt": reported + "\n"},
            )
            if number == bad:
                self._bad = mark

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        return repository.commit("refs/tags/first-bad") == self.marks[self._bad]


class RebaseAndPush(Task):
    """A branch that the main one has left behind."""

    id = "rebase-and-push"
    repository = "bookshop"
    description = "A bookshop with a branch that is behind"
    instruction = (
        "Rebase the branch `basket` onto `main`, without merge commits and with the same commits "
        "in the same order, and push it over the old one. Leave `main` as it is."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        base = history.commit("List the books", {"books.txt": "Emma\nUlysses\n"})
        history.branch("basket", base)
        self._commits = int(random.integers(2, 5))
        for number in range(self._commits):
            history.commit(
                f"Basket, part {number + 1}", {f"basket-{number + 1}.txt": "todo\n"}, "basket", BOB
            )
        history.commit("Add a book", {"books.txt": "Emma\nUlysses\nWalden\n"})
        history.commit("Add opening hours", {"hours.txt": "9 to 5\n"})

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        tips = self.history.tips
        files = {**self.history.files(tips["basket"]), **self.history.files(tips["main"])}
        subjects = [f"Basket, part {number}" for number in range(self._commits, 0, -1)]
        return (
            self._untouched(repository, "main")
            and repository.commit(f"refs/heads/basket~{self._commits}") == self.marks[tips["main"]]
            and repository.subjects("refs/heads/main..refs/heads/basket") == subjects
            and self._has(repository, "refs/heads/basket", files)
        )


class RevertCommit(Task):
    """A change in the middle of a history, to be undone."""

    id = "revert-commit"
    repository = "newsletter"
    description = "A newsletter"
    instruction = (
        "The commit `Send it twice a day` on `main` was a mistake. Undo it by one new commit on "
        "top of `main`, so that the history stays and later changes too, and push."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        history.commit("Write to readers", {"letter.txt": "Dear reader,\n", "plan.txt": "weekly\n"})
        for number in range(int(random.integers(1, 5))):
            history.commit(f"News {number + 1}", {f"news-{number + 1}.txt": "news\n"})
        history.commit("Send it twice a day", {"plan.txt": "twice a day\n", "extra.txt": "more\n"})
        history.commit("Say goodbye", {"letter.txt": "Dear reader,\nGoodbye.\n"})
        history.commit("Add an imprint", {"imprint.txt": "Printed by Bob.\n"}, author=BOB)

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        tip = self.history.tips["main"]
        files = {**self.history.files(tip), "plan.txt": "weekly\n"}
        del files["extra.txt"]
        return repository.parents("refs/heads/main") == [self.marks[tip]] and self._has(
            repository, "refs/heads/main", files
        )


class CherryPick(Task):
    """One commit of a branch, wanted on another."""

    id = "cherry-pick"
    repository = "railway"
    description = "A model railway with a branch for releases"
    instruction = (
        "Of all that is new on `develop`, the branch `release` needs only the commit `Fix the "
        "brakes`. Pick it onto `release`, without the others, and push `release`."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        base = history.commit("Lay the track", {"track.txt": "oval\n", "brakes.txt": "none\n"})
        history.branch("release", base)
        history.branch("develop", base)
        history.commit("Number the release", {"version.txt": "1.0\n"}, "release")
        before = int(random.integers(1, 5))
        for number in range(before + 2):
            if number == before:
                history.commit("Fix the brakes", {"brakes.txt": "steel\n"}, "develop", BOB)
            history.commit(f"Wagon {number + 1}", {f"wagon-{number + 1}.txt": "red\n"}, "develop")

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        tip = self.history.tips["release"]
        files = {**self.history.files(tip), "brakes.txt": "steel\n"}
        return (
            repository.parents("refs/heads/release") == [self.marks[tip]]
            and self._has(repository, "refs/heads/release", files)
            and repository.subjects("refs/heads/release")[0] == "Fix the brakes"
        )


class SquashCommits(Task):
    """Many small commits that are to be one."""

    id = "squash-commits"
    repository = "garden"
    description = "A garden, and a branch in small steps"
    instruction = (
        "Make one commit of all those that `pond` has on top of `main`: same files, the message "
        "`Dig a pond`, and its parent the tip of `main`. Push `pond` over the old one."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        base = history.commit("Sow grass", {"lawn.txt": "grass\n"})
        history.branch("pond", base)
        depth = 0
        for number in range(int(random.integers(3, 7))):
            depth += int(random.integers(1, 9))
            history.commit(
                f"wip {number + 1}",
                {"pond.txt": f"{depth} cm\n", f"fish-{number}.txt": "carp\n"},
                "pond",
            )

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        tips = self.history.tips
        return (
            repository.parents("refs/heads/pond") == [self.marks[tips["main"]]]
            and repository.subjects("refs/heads/main..refs/heads/pond") == ["Dig a pond"]
            and self._has(repository, "refs/heads/pond", self.history.files(tips["pond"]))
            and self._untouched(repository, "main")
        )


class RecoverCommit(Task):
    """A commit that only the reflog knows any more."""

    id = "recover-commit"
    repository = "recipes"
    description = "Recipes"
    instruction = (
        "In the workspace there is a clone of `recipes` whose last commit, `Write down the soup`, "
        "was thrown away by `git reset --hard` before it was pushed. Get it back with its message "
        "and push it to `main`."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        history.commit(
            "Write down the bread", {"bread.txt": "flour\nwater\n", "soup.txt": "todo\n"}
        )
        for number in range(int(random.integers(1, 4))):
            history.commit(f"Cake {number + 1}", {f"cake-{number + 1}.txt": "eggs\n"}, author=BOB)
        history.commit("Remember the soup", {"soup.txt": "water\nsalt\nleeks\n"})
        self.workspace = (
            "clone --quiet {url} recipes",
            "mv bread.txt loaf.txt",
            "mv soup.txt soups.txt",
            "commit --quiet -m 'Write down the soup'",
            "reset --quiet --hard HEAD~1",
        )

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        tip = self.history.tips["main"]
        files = dict(self.history.files(tip))
        files["loaf.txt"] = files.pop("bread.txt")
        files["soups.txt"] = files.pop("soup.txt")
        return (
            repository.parents("refs/heads/main") == [self.marks[tip]]
            and repository.subjects("refs/heads/main")[0] == "Write down the soup"
            and self._has(repository, "refs/heads/main", files)
        )


class TagRelease(Task):
    """A release in the middle of a history, to be tagged."""

    id = "tag-release"
    repository = "clock"
    description = "A clock with releases"
    instruction = (
        "The release 1.2.0 was never tagged. Put the annotated tag `v1.2.0` with the message "
        "`Release 1.2.0` on the commit of `main` that set VERSION to 1.2.0, and push the tag."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        count = 0
        for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
            mark = history.commit(f"Work for {version[:3]}", {"VERSION": version + "\n"})
            if version == "1.2.0":
                self._release = mark
            for _ in range(int(random.integers(1, 4))):
                count += 1
                history.commit(f"Gear {count}", {f"gear-{count}.txt": "brass\n"}, author=BOB)

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        reported = repository.git(
            "for-each-ref", "--format=%(objecttype) %(*objectname) %(subject)", "refs/tags/v1.2.0"
        )
        return reported == f"tag {self.marks[self._release]} Release 1.2.0\n"


class AmendAuthor(Task):
    """A commit under the wrong name."""

    id = "amend-author"
    repository = "choir"
    description = "Notes for a choir"
    instruction = (
        "The last commit on `main` was made by Bob Baker <bob@example.com>, on Alice's computer, "
        "so it says that it is hers. Make him its author, change nothing else of it, and push "
        "`main` over the old one."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        for number in range(int(random.integers(1, 5))):
            history.commit(f"Song {number + 1}", {f"song-{number + 1}.txt": "la la la\n"})
        history.commit("Write for the basses", {"bass.txt": "dum dum\n"}, author=ALICE)

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        tip = self.history.tips["main"]
        reported = repository.git(
            "log", "--max-count=1", "--format=%an <%ae>%n%B", "refs/heads/main"
        )
        return (
            reported is not None
            and reported.rstrip("\n") == f"{BOB[0]} <{BOB[1]}>\nWrite for the basses"
            and repository.parents("refs/heads/main") == [self.marks[tip - 1]]
            and self._has(repository, "refs/heads/main", self.history.files(tip))
        )


class RemoveSecret(Task):
    """A password in a history, to be removed from all of it."""

    id = "remove-secret"
    repository = "door"
    description = "A door with a lock"
    instruction = (
        "The commit `Add the password` put password.txt on `main`, and no later one touched it. "
        "Rewrite `main` without that commit, with all others in their order and their other files, "
        "and push it over the old one: no commit of any branch or tag may still have the password."
    )

    def build(self, history: History, random: np.random.Generator) -> None:
        """Implements Task.build."""
        before, after = (int(one) for one in random.integers(1, 4, size=2))
        for number in range(before):
            history.commit(f"Board {number + 1}", {f"board-{number + 1}.txt": "oak\n"})
        secret = f"hunter{int(random.integers(1000))}\n"
        history.commit("Add the password", {"password.txt": secret})
        for number in range(after):
            history.commit(f"Hinge {number + 1}", {f"hinge-{number + 1}.txt": "iron\n"}, author=BOB)
        self._subjects = [f"Hinge {number}" for number in range(after, 0, -1)]
        self._subjects += [f"Board {number}" for number in range(before, 0, -1)]

    def solved(self, repository: Repository) -> bool:
        """Implements Task.solved."""
        files = dict(self.history.files(self.history.tips["main"]))
        del files["password.txt"]
        return (
            repository.subjects("refs/heads/main") == self._subjects
            and self._has(repository, "refs/heads/main", files)
            and repository.git("log", "--all", "--format=%H", "--", "password.txt") == ""
        )


TASKS: Mapping[str, type[Task]] = {
    task.id: task
    for task in (
        ResolveConflict,
        FindBadCommit,
        RebaseAndPush,
        RevertCommit,
        CherryPick,
        SquashCommits,
        RecoverCommit,
        TagRelease,
        AmendAuthor,
        RemoveSecret,
    )
}
"""The built-in tasks, by name."""
