"""README, docs and CONTRIBUTING name only paths, Python names, link targets and options that exist."""

from __future__ import annotations

import argparse
import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.cli import completion_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "findings/README.md", *sorted(ROOT.glob("docs/*.md"))]
FOLDERS = r"(?:\.ci|benchmarks|containers|docs|findings|ocr_models|pagebeam|pipelines|tests)"
PACKAGES = ("ocr_models", "pagebeam", "pipelines")
MODULE = rf"(?:benchmarks|{'|'.join(PACKAGES)})"
COMMAND = re.compile(  # until the end of the line, or of its part of a pipe
    r"\bpagebeam (run|read|caption|status|report|failures|export|doctor|compact|schedule [a-z-]+|train [\w-]+|prepare"
    r"|models|inspect|evaluate|completion)\b((?:(?! \| ).)*)"
)
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def missing_paths(text: str) -> list[str]:
    """Paths below the repository's folders that don't exist, and names of Python files that no folder has.

    ``NAME`` in a path stands for any name.
    """
    paths = [path.rstrip(".") for path in re.findall(rf"(?<![\w./-]){FOLDERS}/[\w./-]*", text)]
    missing = [path for path in paths if "NAME" not in path and not (ROOT / path).exists()]
    python_files = {path.name for folder in ("benchmarks", *PACKAGES) for path in (ROOT / folder).rglob("*.py")}
    return missing + [name for name in re.findall(r"`(\w+\.py)`", text) if name not in python_files]


def unknown_names(text: str) -> list[str]:
    """Dotted names of this project's packages that can't be imported."""
    dotted = re.findall(rf"(?<![\w./-]){MODULE}(?:\.\w+)+", text)
    for module, names in re.findall(rf"\bfrom ({MODULE}[\w.]*) import ([\w, ]+)", text):
        dotted += [f"{module}.{name.split(' as ')[0].strip()}" for name in names.split(",")]
    return [name for name in dotted if not exists(name)]


def exists(dotted: str) -> bool:
    """Whether a name is a module, something in one, or an attribute of a class. The sources are read, not imported."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        if file := source_of(parts[:length]):
            return defines(ast.parse(file.read_text()).body, parts[length:])
    return False


def source_of(module: list[str]) -> Path | None:
    path = ROOT.joinpath(*module)
    files = [path / "__init__.py", path.with_suffix(".py")]
    if path.is_dir() and not files[0].exists():  # benchmarks: a folder of scripts
        return None
    return next((file for file in files if file.exists()), None)


def defines(body: list[ast.stmt], names: list[str]) -> bool:
    if not names:
        return True
    name, *rest = names
    for node in walk_ifs(body):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return defines(node.body, rest)
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            return exists(".".join([node.module or "", name, *rest]))
        if not rest and name in assigned(node):
            return True
    return False


def walk_ifs(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, and those in its ``if`` blocks, such as ``if TYPE_CHECKING``."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from walk_ifs(node.body)


def assigned(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def dead_links(text: str, folder: Path = ROOT) -> list[str]:
    """Targets of relative links that don't exist."""
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", text)
    return [target for target in targets if "://" not in target and not (folder / target).exists()]


def unknown_options(text: str) -> list[str]:
    """Options of ``pagebeam`` commands that the sub-command doesn't have."""
    commands = [found for line in code_lines(text) for found in COMMAND.findall(line)]
    return [
        f"{command} {option}"
        for command, arguments in commands
        for option in OPTION.findall(re.split(r" # | && |;| -- | --runner \w+Runner", arguments)[0])  # then, Beam's
        if option not in options_of(command)
    ]


def code_lines(text: str) -> list[str]:
    """The commands in code blocks, continued lines joined, and the spans of code."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    spans = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", prose)]
    return [line for block in blocks for line in re.sub(r"\s*\\?\n[ \t]+", " ", block).splitlines()] + spans


@functools.cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    return dict(completion_command.parsers())


def options_of(command: str) -> set[str]:
    """The options of a sub-command; of ``train TASK``, those of all tasks."""
    if command == "train TASK":
        return set().union(*(options_of(f"train {task}") for task in ("detection", "recognition", "caption")))
    name, *below = command.split()
    parser = parsers()[name]
    for part in below:
        [choice] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        parser = choice.choices[part]
    return {option for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("check", [missing_paths, unknown_names, unknown_options])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_everything_named_exists(page: Path, check: Callable[[str], list[str]]) -> None:
    assert check(page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page.read_text(), page.parent) == []


@pytest.mark.parametrize(
    ("check", "text", "found"),
    [
        (missing_paths, "rates are in `ocr_models/metrics.py`, not in `setup.cfg`", ["ocr_models/metrics.py"]),
        (missing_paths, "`python docs/nothing.md` and `no_such_module.py`", ["docs/nothing.md", "no_such_module.py"]),
        (unknown_names, "`ocr_models.metrics.rates`", ["ocr_models.metrics.rates"]),
        (unknown_names, "`ocr_models.records.Word.txt`", ["ocr_models.records.Word.txt"]),
        (unknown_names, "`pagebeam.read_pages` is `pagebeam.read_rows`", ["pagebeam.read_pages"]),
        (unknown_names, "```\nfrom ocr_models.records import Word, Wrd\n```", ["ocr_models.records.Wrd"]),
        (dead_links, "[rows](docs/rows.md#pages) and [columns](docs/columns.md)", ["docs/columns.md"]),
        (unknown_options, "```bash\npagebeam run a --output b \\\n    --flavor c\n```", ["run --flavor"]),
        (unknown_options, "```\npagebeam run IN\n    [--dpi N] [--project X]\n```", ["run --project"]),
        (unknown_options, "`pagebeam schedule cron --et 2:30 -- run IN --output DIR`", ["schedule cron --et"]),
        (unknown_options, "use `pagebeam train detection --freeze-all`", ["train detection --freeze-all"]),
    ],
)
def test_the_checks_find_planted_errors(check: Callable[[str], list[str]], text: str, found: list[str]) -> None:
    assert check(text) == found


def test_names_that_exist_are_found() -> None:
    assert unknown_names("`ocr_models.records.Word.text`, `pagebeam.PageReader.load`, `pipelines.reading`") == []
