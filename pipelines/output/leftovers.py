"""What nobody will use any more in an output folder: files of writers that were killed."""

from __future__ import annotations

import time
from collections import defaultdict

from pipelines.output.lock import living_parts, read_holder
from pipelines.output.output_folder import (
    DESCRIPTION,
    DOCUMENTS_FOLDER,
    RUNS,
    SUPERSEDED,
    UNFINISHED,
    pending_commit,
    unfinished_folder,
)
from pipelines.output.schemas import TABLES
from pipelines.runtime.storage import (
    StoredFile,
    delete,
    exists,
    join,
    list_all,
    remove_empty_folder,
)

COMPACTION = "compact-"
"""What ids of compactions begin with; they are not taken over, but done anew."""
_WRITTEN_S = 3600  # in which any file has been written: the largest, of some MB, take seconds
_QUIET_S = 86400  # workers of a host program, which has no lock while it reads, write every few minutes
_OF_WORKERS = ("rows/", "documents/")


def find_leftovers(output: str) -> list[str]:
    """The files that are left over, as sorted paths below the output folder.

    These are temporary files, the unfinished files of compactions and of runs that were killed before they began to
    read, and those of pipelines of other programs on which nothing was written for a day. The files of runs that were
    cut off later are no leftovers, because the next run takes them over.

    Args:
        output: the output folder, on any Beam file system.
    """
    base, now = output.rstrip("/") + "/", time.time()
    files = {file.path.removeprefix(base): file for file in _own_files(base)}
    runs: defaultdict[str, dict[str, StoredFile]] = defaultdict(dict)
    found = []
    for path, file in files.items():
        if path.startswith(f"{UNFINISHED}/"):
            run_id, _, name = path.removeprefix(f"{UNFINISHED}/").partition("/")
            runs[run_id][name] = file
        elif _is_temporary(path) and now - file.changed_s > _WRITTEN_S:
            found.append(path)
    holder, pending = read_holder(output), pending_commit(output)
    used = {holder.run_id if holder and not holder.is_dead else None, pending.run_id if pending else None}
    used |= {holder.run_id for _, holder in living_parts(output)}
    for run_id in runs.keys() - used:
        if _is_abandoned(run_id, runs[run_id], now):
            found += [f"{unfinished_folder(run_id)}/{name}" for name in runs[run_id]]
    return sorted(found)


def remove_leftovers(output: str, paths: list[str]) -> None:
    """Removes what ``find_leftovers`` found. Only for whoever holds the lock."""
    delete(join(output, path) for path in paths if exists(join(output, path)))
    for run_id in {path.split("/")[1] for path in paths if path.startswith(f"{UNFINISHED}/")}:
        remove_empty_folder(join(output, unfinished_folder(run_id)))
    remove_empty_folder(join(output, UNFINISHED))


def _own_files(base: str) -> list[StoredFile]:
    """The files in the folders of an output, and at its top; other folders there are the user's."""
    folders = (UNFINISHED, RUNS, DOCUMENTS_FOLDER, SUPERSEDED, *TABLES)
    below = [file for folder in folders for file in list_all(base + folder)]
    return [*below, *list_all(base, is_deep=False)]


def _is_temporary(path: str) -> bool:
    name = path.rpartition("/")[2]
    return (name.startswith("_") and name.endswith(".tmp")) or (name.startswith("_lock") and name.endswith(".dead"))


def _is_abandoned(run_id: str, files: dict[str, StoredFile], now: float) -> bool:
    if DESCRIPTION in files:
        return False
    if run_id.startswith(COMPACTION) or not any(name.startswith(_OF_WORKERS) for name in files):
        return True
    return now - max(file.changed_s for file in files.values()) > _QUIET_S
