"""The docs site: every page and link is there, and the man page has all commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]

pytest.importorskip("mkdocs", reason="mkdocs is in the extra docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder


def test_all_docs_are_on_the_site(site):
    pages = {page.parent.name for page in site.rglob("index.html")} - {site.name}
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} | {"commands", "contributing", "changelog"} == pages
    start = (site / "index.html").read_text()
    assert "Pagebeam turns scanned pages" in start and 'href="rows/"' in start and 'href="examples' not in start
    assert not list(site.rglob("*.py"))


def test_the_man_page_has_all_commands_and_their_options(site):
    page = (site / "pagebeam.1").read_text()
    assert "pagebeam \\- bulk OCR" in page
    assert all(f"COMMAND \\fI\\,'pagebeam {name}'\\/\\fR" in page for name in COMMANDS)
    assert "\\-\\-text\\-layer" in page
