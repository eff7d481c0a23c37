"""What ``pagebeam run`` and ``pagebeam caption`` print when a run has finished, and how they exit."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ocr_models.errors import ExitStatus
from ocr_models.terminal import LogFormat, hand_on, log_format, say, tell
from pipelines.inputs.discovery import describe_skipped
from pipelines.output.gates import Gates
from pipelines.output.output_folder import current_files, manifest_path
from pipelines.output.parts import array_of, whole_runs
from pipelines.output.run_manifest import read_manifests
from pipelines.output.schemas import UNKNOWN_SCRIPT, Table
from pipelines.output.shards import first_headline
from pipelines.reading.run import DEADLINE, INTERRUPTED, TERMINATED
from pipelines.reading.run_options import RunOptions
from pipelines.runtime.storage import absolute_uri, join, write_bytes

if TYPE_CHECKING:
    from pipelines.reading.dry_run import Estimate

SHOWN_LINES = 12  # of the first page, enough to see whether it was read well
_BRIEF = ("run_id", "started", "finished", "elapsed_s", "stopped", "documents", "skipped", "pages", "failures_by_stage")
_STOPPED = {
    DEADLINE: ExitStatus.DEADLINE,
    INTERRUPTED: 128 + signal.SIGINT,
    TERMINATED: 128 + signal.SIGTERM,
}


def report_run(manifest: dict[str, Any], options: RunOptions, gates: Gates, done: str, is_quiet: bool = False) -> int:
    """Prints a summary of a run, unless it is to be quiet; returns the exit status.

    Args:
        manifest: the run's manifest.
        options: its options.
        gates: limits for what it read.
        done: what was done to its pages, such as "read".
        is_quiet: whether nothing is printed, except what exceeds a gate.
    """
    output, table = absolute_uri(options.output), options.table
    exceeded = _exceeded(gates, manifest, output)
    if exceeded:
        noted = json.dumps({**manifest, "gates_exceeded": exceeded}, indent=2, ensure_ascii=False)
        write_bytes(join(output, manifest_path(manifest["run_id"])), noted.encode())
    status = _status(manifest, exceeded)
    if not is_quiet and log_format() == LogFormat.JSON:
        brief = {name: manifest[name] for name in _BRIEF}
        hand_on(json.dumps({**brief, "gates_exceeded": exceeded, "status": int(status)}, ensure_ascii=False))
    elif not is_quiet:
        _print_first_page(manifest, output, table)
        _print_summary(manifest, options.output, table, done)
        if manifest["part"]:
            _print_part(manifest["part"], manifest["parts_left"])
    for sentence in exceeded:
        tell(f"gate:     {sentence}", logging.ERROR, "gate")
    if manifest["stopped"] and not is_quiet and log_format() == LogFormat.TEXT:
        _print_left(manifest)
    return status


def _exceeded(gates: Gates, manifest: dict[str, Any], output: str) -> list[str]:
    """The gates that a run exceeds, or all parts of a job array together when the last one has finished."""
    if not gates.are_set or manifest.get("parts_left"):  # of many parts, each would read the manifests of all
        return []
    manifests = read_manifests(output)
    array = array_of(manifests, manifest["run_id"])
    return gates.exceeded(array.whole() if array else manifest, whole_runs(manifests))


def _status(manifest: dict[str, Any], exceeded: list[str]) -> int:
    if manifest["stopped"]:
        return _STOPPED[manifest["stopped"]]
    if exceeded:
        return ExitStatus.GATE
    return ExitStatus.SOME_FAILED if manifest["pages"]["failed"] else ExitStatus.OK


def report_estimate(estimate: Estimate) -> int:
    """Prints what a run would do; returns the exit status."""
    found = estimate.found
    say(f"documents: {found.documents:,} found, {found.documents - found.to_open:,} known, {found.to_open:,} to open")
    about = "" if estimate.opened == found.to_open else f" (from {estimate.opened:,} that were opened)"
    say(f"pages:     {found.known_pages:,} known, {'about ' * bool(about)}{estimate.pages:,} to read{about}")
    if estimate.seconds_per_page is not None and estimate.seconds is not None:
        time = tqdm.format_interval(round(estimate.seconds))
        pace = f"{estimate.seconds_per_page * 1000:.0f} ms per page and worker"
        say(f"time:      about {time} beyond the start, at {pace}")
    if found.skipped:
        say(f"skipped:   {describe_skipped(found.skipped)}")
    return ExitStatus.OK


def _print_first_page(manifest: dict[str, Any], output: str, table: Table) -> None:
    files = current_files(output, table.folder)
    page = first_headline(output, table, (path for path in files if manifest["run_id"] in path))
    if page:
        lines = page[table.headline].splitlines()
        shown = lines[:SHOWN_LINES] + ["…"] * (len(lines) > SHOWN_LINES)
        say(f"{page['source_uri']}, page {page['page_index'] + 1}:", *(f"  {line}" for line in shown), "")


def _print_summary(manifest: dict[str, Any], output: str, table: Table, done: str) -> None:
    pages, documents = manifest["pages"], manifest["documents"]
    rate = (pages["expected"] - pages["left"]) / manifest["elapsed_s"]
    folder = f"{output.rstrip('/')}/{table.folder}"
    others = ", ".join(f"{pages[status]} {status}" for status in table.statuses if status not in ("ok", UNKNOWN_SCRIPT))
    _print_failures(manifest["first_failures"], pages["failed"])
    known = f", {pages['known']:,} known" if pages["known"] else ""
    say(f"{pages['ok']} pages {done}, {others}{known}; {rate:.2f} pages/s")
    if from_layer := sum(counts.get("from_text_layer", 0) for counts in manifest["statistics"].values()):
        say(f"{from_layer:,} pages have their words from the PDF's own text; --text-layer never reads them")
    if unread := pages.get(UNKNOWN_SCRIPT):
        say(f"{unread} pages are in a script that the models can't read; their status is {UNKNOWN_SCRIPT}")
    noticed = [
        f"{documents[name]:,} {name}" for name in ("changed", "moved", "vanished", "returned") if documents[name]
    ]
    if noticed:
        say(f"documents: {', '.join(noticed)}")
    if older := documents["read_by_other_models"]:
        say(f"{older:,} documents were read by other models, or with other options; --reread reads them again")
    if manifest["skipped"]:
        say(f"skipped:  {describe_skipped(manifest['skipped'])}")
    has_rows = bool(current_files(output, table.folder))  # an empty part of a job array may end before all others
    if has_rows:
        say(f"rows:     {folder}")
    say(f"manifest: {output.rstrip('/')}/{manifest_path(manifest['run_id'])}")
    if has_rows:
        look = f"import pyarrow.parquet as pq; print(pq.read_table({folder!r})[{table.headline!r}][0])"
        say(f'look:     {_this_python()} -c "{look}"')
    if pages["failed"]:
        say(f"failures: pagebeam failures {shlex.quote(output)}")


def _print_part(part: dict[str, int], left: int) -> None:
    others = f"{left} haven't finished, see pagebeam status" if left else "all have finished"
    say(f"part:     {part['number']} of {part['count']}; {others}")


def _print_left(manifest: dict[str, Any]) -> None:
    pages, documents = manifest["pages"]["left"], manifest["documents"]["left"]
    unopened = f" and {documents:,} documents that weren't opened" if documents else ""
    say(f"stopped ({manifest['stopped']}): {pages:,} pages{unopened} are left; the same command goes on")


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
