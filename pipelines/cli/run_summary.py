"""What ``pagebeam run`` and ``pagebeam caption`` print when a run has finished."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Any

from ocr_models.errors import ExitStatus
from ocr_models.terminal import say
from pipelines.inputs.discovery import describe_skipped
from pipelines.reading.schemas import UNKNOWN_SCRIPT, Table
from pipelines.reading.shards import first_headline

SHOWN_LINES = 12  # of the first page, enough to see whether it was read well


def report_run(manifest: dict[str, Any], output: str, table: Table, done: str) -> ExitStatus:
    """Prints a summary of a run, whose pages were ``done``, such as "read"; returns the exit status."""
    _print_first_page(manifest, output, table)
    _print_summary(manifest, output, table, done)
    return ExitStatus.SOME_FAILED if manifest["pages"]["failed"] else ExitStatus.OK


def _print_first_page(manifest: dict[str, Any], output: str, table: Table) -> None:
    page = first_headline(output, table, (shard["path"] for shard in manifest["shards"]))
    if page:
        lines = page[table.headline].splitlines()
        shown = lines[:SHOWN_LINES] + ["…"] * (len(lines) > SHOWN_LINES)
        say(f"{page['source_uri']}, page {page['page_index'] + 1}:", *(f"  {line}" for line in shown), "")


def _print_summary(manifest: dict[str, Any], output: str, table: Table, done: str) -> None:
    pages = manifest["pages"]
    rate = pages["expected"] / manifest["elapsed_s"]
    folder = f"{output.rstrip('/')}/{table.folder}"
    others = ", ".join(f"{pages[status]} {status}" for status in table.statuses if status not in ("ok", UNKNOWN_SCRIPT))
    _print_failures(manifest["first_failures"], pages["failed"])
    say(f"{pages['ok']} pages {done}, {others}; {rate:.2f} pages/s")
    if unread := pages.get(UNKNOWN_SCRIPT):
        say(f"{unread} pages are in a script that the models can't read; their status is {UNKNOWN_SCRIPT}")
    if manifest["skipped"]:
        say(f"skipped:  {describe_skipped(manifest['skipped'])}")
    rows = f"{folder}/run={manifest['run_id']}"
    say(f"rows:     {rows}")
    say(f"manifest: {output.rstrip('/')}/runs/{manifest['run_id']}.json")
    look = f"import pyarrow.parquet as pq; print(pq.read_table({folder!r})[{table.headline!r}][0])"
    say(f'look:     {_this_python()} -c "{look}"')
    if pages["failed"]:
        read = f"pq.read_table({rows!r}, columns=['source_uri', 'page_index', 'failure'], "
        all_failed = f"import pyarrow.parquet as pq; print(*{read}filters=[('status', '=', 'failed')]).to_pylist(), "
        say(f"""failures: {_this_python()} -c "{all_failed}sep='\\n')\"""")


def _print_failures(failures: list[dict[str, Any]], count: int) -> None:
    """Prints the first failures; the line "failures:" of the summary has the command for all of them."""
    for failure in failures:
        page = f", page {failure['page_index'] + 1}" if failure["page_count"] not in (None, 1) else ""
        say(f"failed: {failure['source_uri']}{page}: {failure['message']}")
    if count > len(failures):
        say(f"failed: {count - len(failures):,} more")


def _this_python() -> str:
    """The path of this Python for a shell, in which plain ``python`` may be another one or missing."""
    relative = os.path.relpath(sys.executable)
    return shlex.quote(sys.executable if relative.startswith(os.pardir) else relative)
