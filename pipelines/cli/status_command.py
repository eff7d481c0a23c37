"""``pagebeam status``: what an output folder holds, its runs, and who writes to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ocr_models.arguments import ArgumentParser
from ocr_models.errors import ExitStatus
from ocr_models.terminal import json_line, say
from pipelines.cli.output_arguments import add_output_argument
from pipelines.cli.text_table import text_table
from pipelines.output.current_view import describe_output
from pipelines.runtime.storage import absolute_uri

_SHOWN_RUNS, _SHOWN_REASONS = 10, 10


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    parser = ArgumentParser(
        prog="pagebeam status",
        description="Says what an output folder holds: pages and documents, failures by reason, runs, what moved since "
        "the last good run, and who writes to it. Nothing is changed.",
        epilog="Exit status: 0; 2 usage error.",
    )
    add_output_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, with all runs")
    arguments = parser.parse_args(argv)
    status = describe_output(absolute_uri(arguments.output))
    if arguments.json:
        say(json_line(status))
    else:
        for folder, table in status["tables"].items():
            say(*_describe_table(folder, table), "")
        say(*_describe_runs(status["runs"]), *_describe_array(status["array"]), *_describe_drift(status["drift"]))
        say(*_describe_writers(status))
    return ExitStatus.OK


def _describe_table(folder: str, table: dict[str, Any]) -> Iterator[str]:
    documents, statuses = table["documents"], list(table["by_status"])
    header = ["kind", "documents", folder, *statuses, "from text layer", "mean confidence"]
    kinds = sorted(table["by_kind"].keys() | documents["by_kind"].keys())
    none = {"pages": 0, "by_status": dict.fromkeys(statuses, 0), "from_text_layer": 0, "mean_confidence": None}
    rows = [_row(kind, documents["by_kind"].get(kind, 0), table["by_kind"].get(kind, none)) for kind in kinds]
    yield from text_table(header, [*rows, _row("all", documents["found"], table)])
    if documents["vanished"]:
        yield f"{documents['vanished']:,} documents vanished; their rows are kept:"
        yield from (f"  {uri}" for uri in documents["first_vanished"])
        if more := documents["vanished"] - len(documents["first_vanished"]):
            yield f"  and {more:,} more"
    if table["read_by_others"]:
        yield (
            f"{table['read_by_others']:,} {folder} were read by other models or with other options than the last "
            "run's; pagebeam run --reread reads them again"
        )
    if table["failures"]:
        reasons = [(failure["stage"], failure["pages"], failure["reason"]) for failure in table["failures"]]
        yield from ("", *text_table(["failed at", folder, "reason"], reasons[:_SHOWN_REASONS]))
        if (more := len(reasons) - _SHOWN_REASONS) > 0:
            yield f"and {more:,} more reasons"


def _row(kind: str, documents: int, pages: dict[str, Any]) -> list[object]:
    confidence, counts = pages["mean_confidence"], [*pages["by_status"].values(), pages["from_text_layer"]]
    return [kind, documents, pages["pages"], *counts, confidence and round(confidence, 3)]


def _describe_runs(runs: list[dict[str, Any]]) -> Iterator[str]:
    header = ["run", "started", "read", "failed", "known", "left", "pages/s", "end"]
    names = ("pages_read", "pages_failed", "pages_known", "pages_left", "pages_per_s")
    shown = [[run["run_id"], run["started"][:16], *(run[name] for name in names), _end(run)] for run in runs]
    yield from text_table(header, shown[-_SHOWN_RUNS:])
    if len(runs) > _SHOWN_RUNS:
        yield f"and {len(runs) - _SHOWN_RUNS:,} earlier runs; --json has all"


def _end(run: dict[str, Any]) -> str:
    ends = [f"stopped: {run['stopped']}"] if run["stopped"] not in (None, "cut off") else []
    ends += ["cut off"] if run["stopped"] == "cut off" else []
    ends += [f"gate: {sentence}" for sentence in run["gates_exceeded"]]
    end = "; ".join(ends) or "finished"
    return f"part {run['part']['number']} of {run['part']['count']}: {end}" if run["part"] else end


def _describe_array(array: dict[str, Any] | None) -> Iterator[str]:
    if not array:
        return
    going_on = set(array["going_on"])
    missing = [number for number in array["missing"] if number not in going_on]
    states = [f"{array['count'] - len(array['missing'])} of {array['count']} parts have finished"]
    states += [f"going on: {_spans(sorted(going_on))}"] if going_on else []
    states += [f"missing: {_spans(missing)}"] if missing else []
    name = f" {array['id']}" if array["id"] else ""
    yield from ("", f"job array{name}, since {array['started'][:16]}: {'; '.join(states)}")


def _spans(numbers: list[int]) -> str:
    """Ascending numbers, those that follow one another together: "1-3, 7"."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _describe_drift(drift: dict[str, Any] | None) -> Iterator[str]:
    if drift:
        yield from ("", f"run {drift['run_id']} against {drift['since']}, the last good one before it:")
        yield from (f"  {change['size']:6.1%}  {change['what']}" for change in drift["changes"])


def _describe_writers(status: dict[str, Any]) -> Iterator[str]:
    holder = status["holder"]
    is_alive = holder and not holder["is_dead"]
    alive = {of_part["run_id"] for of_part in status["part_holders"].values()}
    alive |= {holder["run_id"]} if is_alive else set()
    for run in status["unfinished"]:
        goes_on = run["run_id"] in alive
        end = "goes on" if goes_on else "was cut off; the next run takes over what it has read"
        yield f"run {run['run_id']}, started {run['started'][:16]}, {end}: {run['pages']:,} pages in complete files"
    if status["pending_commit"] and not is_alive:
        yield f"the commit of {status['pending_commit']} was cut off; the next run completes it"
    if holder:
        state = "is writing" if is_alive else "is gone; the next run takes over its lock"
        yield f"holder: {holder['text']} {state}"
    for part, of_part in status["part_holders"].items():
        yield f"part {part}: {of_part['text']} is reading"
