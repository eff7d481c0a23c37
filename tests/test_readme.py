"""The README's Python examples run as they stand, after its first command."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path

import pytest

from pipelines.cli.main import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone in which README's first command has run."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "docs").symlink_to(ROOT / "docs")
    with contextlib.chdir(folder):
        command = re.search(r"pagebeam (run docs/samples --output ocr-out)", (ROOT / "README.md").read_text())
        assert command and main(command[1].split()) == 0
    return folder


def test_python_examples_run_and_print_what_stands_there(folder):
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        for block in blocks:
            exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    shown, printed = (
        ast.literal_eval(word)
        for text in (readme, said.getvalue())
        for word in re.findall(r"^ok 0 (\{.*\})$", text, re.MULTILINE)
    )
    assert shown.keys() == printed.keys() and shown["text"] == printed["text"]  # its numbers vary with the processor
    assert "Forty-one boxes" in said.getvalue()
