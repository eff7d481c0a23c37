"""``pagebeam compact``: merges small files of an output folder, and removes rows that later runs replaced."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ocr_models.arguments import ArgumentParser, duration
from ocr_models.errors import ExitStatus
from ocr_models.terminal import say
from pipelines.cli.output_arguments import add_output_argument
from pipelines.output.compaction import ROWS_PER_FILE, Compaction, compact, new_compaction_id, plan_compaction
from pipelines.output.current_view import check_output
from pipelines.output.lock import Holder, locked
from pipelines.runtime.storage import absolute_uri


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    parser = ArgumentParser(
        prog="pagebeam compact",
        description=f"Merges small files of rows into files of up to {ROWS_PER_FILE:,} rows, and removes rows that "
        "later runs replaced, and what killed writers left. The current rows stay the same.",
        epilog="Exit status: 0; 1 failed, nothing is changed; 2 usage error; 5 a run writes to DIR.",
    )
    add_output_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument(
        "--older-than",
        type=duration,
        metavar="TIME",
        help="remove only rows that were replaced longer ago than this, such as 30d; default: all replaced rows",
    )
    parser.add_argument("--wait", action="store_true", help="wait while a run writes to DIR, instead of failing")
    arguments = parser.parse_args(argv)
    output = absolute_uri(arguments.output)
    check_output(output)
    age = arguments.older_than
    before = None if age is None else datetime.now(UTC) - timedelta(seconds=age)
    if arguments.dry_run:
        say(*_describe(plan_compaction(output, before), "would be"))
        return ExitStatus.OK
    holder = new_compaction_id()
    with locked(output, holder, arguments.wait, _say_waiting):
        say(*_describe(compact(output, holder, before), "were"))
    return ExitStatus.OK


def _describe(done: Compaction, verb: str) -> list[str]:
    merged = sum(len(paths) for _, paths in done.groups)
    megabytes = done.removed_bytes / 1e6
    return [
        f"merged:  {merged:,} files with {done.rows:,} rows {verb} merged; files of rows: {done.files:,} → "
        f"{done.files_after:,}",
        f"removed: {done.superseded_rows:,} replaced rows in {len(done.superseded):,} files and "
        f"{len(done.leftovers):,} leftover files {verb} removed, {megabytes:,.1f} MB",
    ]


def _say_waiting(holder: Holder) -> None:
    say(f"pagebeam: waiting for {holder}", file=sys.stderr)
