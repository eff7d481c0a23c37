"""Runs ``pagebeam evaluate``, and reads what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.cli import main as cli


def run(*arguments: object) -> int:
    """Its exit status."""
    return cli.main(["evaluate", *map(str, arguments)])


def read_evaluation(folder: Path) -> tuple[dict, list[dict], str]:
    """The summary, the lines of the pictures, and the report."""
    rows = [json.loads(line) for line in (folder / "pages.jsonl").read_text().splitlines()]
    return json.loads((folder / "evaluation.json").read_text()), rows, (folder / "report.html").read_text()
