"""Which parts of job arrays have finished, in one small file: each part would else read the manifests of all others.

Whoever holds the output's lock keeps it, so that each part knows whether it was the last one. If it isn't there, or
doesn't know an array, the manifests say it.
"""

from __future__ import annotations

import json
from typing import Any

from pipelines.output.output_folder import DOCUMENTS_FOLDER, current_file
from pipelines.output.parts import arrays
from pipelines.output.run_manifest import RunDescription, read_manifests
from pipelines.runtime.storage import StorageError, join, read_bytes

FINISHED_PARTS = f"{DOCUMENTS_FOLDER}/_finished_parts.json"
"""Readers of Parquet skip it."""
_ARRAYS = 20  # are kept: more won't be going on at a time


def note_part(output: str, run: RunDescription, stopped: str | None) -> tuple[bytes, int]:
    """What ``FINISHED_PARTS`` says with a part that ends now, and how many parts haven't finished then.

    Args:
        output: the output folder.
        run: the part.
        stopped: why it stopped before all pages were read; None if it didn't.
    """
    assert run.part
    known = _read(output)
    key = [run.table.folder, run.array, run.part.count]
    mine = next((array for array in reversed(known) if array["key"] == key), None)
    if mine is None:
        found = [array for array in arrays(read_manifests(output)) if _key(array.runs[-1]) == key]
        finished = set(range(1, run.part.count + 1)) - set(found[-1].missing) if found else set()
        mine = {"key": key, "finished": sorted(finished)}
    else:
        known.remove(mine)
    if run.array is None and len(mine["finished"]) == run.part.count:  # that array is complete: this is the next
        mine = {"key": key, "finished": []}
    if not stopped:
        mine["finished"] = sorted({*mine["finished"], run.part.number})
    content = json.dumps([*known[1 - _ARRAYS :], mine]).encode()
    return content, run.part.count - len(mine["finished"])


def _read(output: str) -> list[dict[str, Any]]:
    path = current_file(output, FINISHED_PARTS)
    try:
        return json.loads(read_bytes(join(output, path))) if path else []
    except (StorageError, ValueError):
        return []


def _key(manifest: dict[str, Any]) -> list[Any]:
    return [manifest["table"], manifest["array"], manifest["part"]["count"]]
