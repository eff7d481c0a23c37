"""The README's Python examples run as they stand, after its first command."""

from __future__ import annotations

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


def test_python_examples_run(folder):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        for block in blocks:
            exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert "Cargo list" in said.getvalue() or "Forty-one boxes" in said.getvalue()
