"""How the rows of a run become part of an output folder, in which readers see each page once.

Workers write shards, as they fill, among the run's unfinished files. At the end of the run its rows are compared with
the current ones: rows that are replaced are moved to ``superseded/``, rows of documents that were renamed or copied get
their new places, and then all files take their places at once (``output_folder.publish``). A run that was cut off is
committed in the same way by the next one: what it has written counts, what is missing is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipelines.inputs.worklist import remove_worklist
from pipelines.output.documents_table import documents_near, write_documents_after
from pipelines.output.finished_parts import FINISHED_PARTS, note_part
from pipelines.output.lock import check_lock, check_part, living_parts, locked, remove_dead_parts
from pipelines.output.output_folder import (
    Commit,
    documents_path,
    finish_commit,
    manifest_path,
    publish,
    remove_unfinished,
    unfinished_folder,
    unfinished_runs,
)
from pipelines.output.places import DocumentChanges, Places
from pipelines.output.row_changes import RowChanges
from pipelines.output.run_manifest import RunDescription, Totals, build_manifest, read_description, timestamp
from pipelines.output.shards import Shard, read_presence, unfinished_documents, unfinished_shards
from pipelines.runtime.storage import atomic_writer, join, write_bytes

CUT_OFF = "cut off"
"""Why a run stopped that was committed by a later one."""


def commit_run(
    output: str,
    run: RunDescription,
    shards: Sequence[Shard],
    totals: Totals | None,
    stopped: str | None = None,
    holder: str | None = None,
) -> dict[str, Any]:
    """Makes a run's rows part of the output; returns the manifest, which is then there, too.

    Args:
        output: the output folder, on any Beam file system.
        run: the run.
        shards: its shards.
        totals: what its rows must add up to; None if that isn't known, because the run was cut off.
        stopped: why it stopped before all pages were read; None if it didn't.
        holder: the run that holds the lock; None for this one.

    Raises:
        PagebeamError: the run's numbers don't add up. Then nothing is changed, and the next run takes its rows over.
        LockedError: another run has taken over the lock.
    """
    if run.part and holder is None:
        check_part(output, run.run_id, run.part)
    new = f"{unfinished_folder(run.run_id)}/new"
    remove_worklist(join(output, unfinished_folder(run.run_id)))  # the disk may be nearly full
    rows = RowChanges(output, run.table, run.run_id, shards)
    opened = rows.with_places(unfinished_documents(output, run.run_id))
    presence = read_presence(output, run.run_id)
    near = documents_near(output, run.table, opened, presence)  # not all: each part of an array commits
    places = Places(near, opened, presence, timestamp(run.start_time))
    changes = places.changes(rows.unopened, rows.contents if run.part else None)
    known_pages = places.known_pages(rows.contents)
    manifest = build_manifest(run, rows.shards, totals, stopped, changes, known_pages)
    moves = []
    if run.part and holder is None:
        finished, manifest["parts_left"] = note_part(output, run, stopped)
        write_bytes(join(output, f"{new}/finished_parts.json"), finished)
        moves.append((f"{new}/finished_parts.json", FINISHED_PARTS))
    rows.apply(places.of_touched(rows.contents), places.of_copies(), places.unreadable)
    with atomic_writer(join(output, f"{new}/documents.parquet")) as file:
        write_documents_after(file, output, run.table, near, places.documents(rows.facts()))
    write_bytes(join(output, f"{new}/manifest.json"), _as_bytes(manifest))
    check_lock(output, holder or run.run_id)
    moves += [
        *rows.moves,
        (f"{new}/documents.parquet", documents_path(run.table)),
        (f"{new}/manifest.json", manifest_path(run.run_id)),
    ]
    publish(output, Commit(run.run_id, moves, rows.deletes))
    return manifest


def commit_briefly(
    output: str, run: RunDescription, shards: Sequence[Shard], totals: Totals | None, stopped: str | None = None
) -> dict[str, Any]:
    """Like ``commit_run``, for whoever doesn't hold the output's lock: a part, or a host program."""
    with locked(output, run.run_id, wait=True, is_brief=True):
        finish_commit(output)
        return commit_run(output, run, shards, totals, stopped)


def commit_nothing(output: str, run: RunDescription) -> dict[str, Any]:
    """Writes the manifest of a run that found nothing new, and returns it."""
    manifest = build_manifest(run, [], Totals(), None, DocumentChanges())
    if not run.part:
        write_bytes(join(output, manifest_path(run.run_id)), _as_bytes(manifest))
        return manifest
    with locked(output, run.run_id, wait=True, is_brief=True):
        finish_commit(output)
        finished, manifest["parts_left"] = note_part(output, run, None)
        write_bytes(join(output, manifest_path(run.run_id)), _as_bytes(manifest))
        write_bytes(join(output, FINISHED_PARTS), finished)
    return manifest


def _as_bytes(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, indent=2, ensure_ascii=False).encode()


def take_over(output: str, holder: str) -> list[dict[str, Any]]:
    """Commits what runs that were cut off have read; returns their manifests. Only for whoever holds the lock.

    Parts that are being read are left alone.

    Args:
        output: the output folder.
        holder: the run that holds the lock.
    """
    finish_commit(output)
    remove_dead_parts(output)
    manifests = []
    alive = {holder, *(of_part.run_id for _, of_part in living_parts(output))}
    for run_id in unfinished_runs(output):
        if run_id in alive:
            continue
        run = read_description(output, run_id)
        shards = unfinished_shards(output, run_id, run.table)
        if shards:
            manifests.append(commit_run(output, run, shards, None, CUT_OFF, holder))
        else:
            remove_unfinished(output, run_id)
    return manifests
