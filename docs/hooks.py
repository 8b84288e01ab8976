"""What MkDocs calls: makes the pages whose text is elsewhere, and checks links out of ``docs/``.

Made of other files: a page for each environment, of the README in its folder; the tutorial, of the
notebook; fleets, security, contributing, changelog. Made of the code: the commands and the errors.
A link to a file of the repository becomes one to its page, or its text alone where it has none.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from openenv_gym import errors
from openenv_gym.cli import COMMANDS
from openenv_gym.registry import ENVIRONMENTS, generate

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = "examples/tutorial.ipynb"
COPIES = {
    "deploy/README.md": "how-to/fleet.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    **{f"envs/openenv_gym_envs/{n}/README.md": f"environments/{n}.md" for n in ENVIRONMENTS},
}
PAGES = {**COPIES, TUTORIAL: "tutorial.md", "README.md": "index.md"}
"""Page of each file of the repository that has one."""
SOURCES = {page: source for source, page in PAGES.items() if source != "README.md"}
LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:)([^()\s#]+)(#[^()\s]*)?\)")
ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):(?:<code>|`+)~?([\w.]+)(?:</code>|`+)")
CODE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the environments' pages to the navigation."""
    [section] = [entry["Environments"] for entry in config.nav or [] if "Environments" in entry]
    section += [f"environments/{name}.md" for name in ENVIRONMENTS]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    made = {page: (ROOT / source).read_text("utf-8") for source, page in COPIES.items()}
    made["tutorial.md"] = notebook(json.loads((ROOT / TUTORIAL).read_text("utf-8")))
    made["environments/index.md"] = environments()
    made["reference/cli.md"] = commands()
    made["reference/errors.md"] = table_of_errors()
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Rewrite links to files of the repository."""
    path = page.file.src_uri
    source = SOURCES.get(path, f"docs/{path}")
    parts = CODE.split(markdown)
    text = "".join(
        part if number % 2 else LINK.sub(lambda link: _link(link, source, path), part)
        for number, part in enumerate(parts)
    )
    folder, _, file = path.rpartition("/")
    name = file.removesuffix(".md")
    return with_picture(text, name) if folder == "environments" and name in ENVIRONMENTS else text


def on_page_content(html: str, **_: Any) -> str:
    """Show what docstrings write in the form of Sphinx."""
    names = ROLE.sub(lambda role: f"<code>{role[1].rpartition('.')[2]}</code>", html)
    return names.replace("<p>::</p>", "").replace("::</p>", ":</p>")


def _link(link: re.Match[str], source: str, page: str) -> str:
    text, target, anchor = link[1], link[2], link[3] or ""
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if meant in PAGES:
        found = PAGES[meant]
    elif meant.startswith("docs/"):
        found = meant.removeprefix("docs/")  # MkDocs itself checks it
    elif (ROOT / meant).exists():
        return text
    else:
        raise PluginError(f"{source}: the link to {target} leads nowhere")
    return f"[{text}]({posixpath.relpath(found, posixpath.dirname(page) or '.')}{anchor})"


def with_picture(text: str, name: str) -> str:
    """Return the page of an environment with its picture, which ``docs/pictures.py`` draws."""
    title, _, rest = text.partition("\n")
    shown = f"![{name} after a short episode](../assets/environments/{name}.png)"
    return f"{title}\n\n{shown}\n{rest}"


def environments() -> str:
    """Return the page that lists all environments, with the table of the README."""
    rows = generate.readme("\n".join(generate.MARKS)).splitlines()[2:-2]
    links = [re.sub(r"envs/openenv_gym_envs/(\w+)/README\.md", r"\1.md", row) for row in rows]
    return "\n".join(["# Environments", "", *links, ""])


def commands() -> str:
    """Return the page on the command line: what each command's ``--help`` prints."""
    os.environ["COLUMNS"] = "90"
    parts = ["# Command line", "", "An environment is a name, an id, `module:Class` or a folder; "]
    parts[-1] += "`--option NAME=VALUE` sets its options."
    for name, summary in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"openenv-gym {name}", description=summary)
        importlib.import_module(f"openenv_gym.cli.{name}").add_arguments(parser)
        parts += ["", f"## {name}", "", "```text", parser.format_help().rstrip(), "```"]
    return "\n".join([*parts, "", "## Exit codes", "", "```text", *_exit_codes(), "```", ""])


def _exit_codes() -> list[str]:
    endings = importlib.import_module("openenv_gym.cli")._ENDINGS
    return endings.partition("exit codes:\n")[2].rstrip().splitlines()


def table_of_errors() -> str:
    """Return the page on errors: the tree, and of each class when it comes and what to do."""
    head = inspect.getdoc(errors) or ""
    tree = inspect.cleandoc(head.partition("::\n")[2].partition("Each message")[0])
    parts = [
        "# Errors",
        "",
        "`except openenv_gym.OpenEnvGymError` catches all of them. Each message",
    ]
    parts += [
        "says what was asked, what is wrong and what to do next; `error.fields` has the facts."
    ]
    parts += ["", "```text", tree, "```"]
    for kind in _errors():
        bases = [base.__name__ for base in kind.__bases__]
        text = inspect.getdoc(kind) or ""
        parts += ["", f"## {kind.__name__}", "", f"*{', '.join(bases)}*", "", text]
    return "\n".join([*parts, ""])


def _errors() -> Iterator[type]:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.OpenEnvGymError):
            yield kind


def notebook(cells: dict[str, Any]) -> str:
    """Return a notebook as a page: its texts, its code, and what that printed or drew."""
    parts: list[str] = []
    for cell in cells["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts += [source, ""]
            continue
        parts += ["```python", source, "```", ""]
        for output in cell["outputs"]:
            parts += _output(output)
    return "\n".join(parts)


def _output(output: dict[str, Any]) -> list[str]:
    data = output.get("data", {})
    if "image/png" in data:
        return [f"![What the cell drew](data:image/png;base64,{data['image/png'].strip()})", ""]
    text = "".join(output.get("text", data.get("text/plain", "")))
    return ["```text", text.rstrip(), "```", ""] if text.strip() else []
