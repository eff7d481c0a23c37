"""Where things are in an output folder, and how several of its files change as one.

- ``pages/`` (``captions/``): the current rows. Readers of Parquet see each page once.
- ``documents/pages.parquet``: the documents that are known, see ``schemas.DOCUMENTS``.
- ``runs/<run_id>.json``: the manifest of each run.
- ``superseded/pages/``: rows that later runs replaced, until ``pagebeam compact`` removes them.
- ``_unfinished/<run_id>/``: what a run has written so far; the next run takes it over if this one is cut off.
- ``_commit.json``: exists while a run's files take their places. All of them count from the moment when it appears:
  whoever opens the output next takes the moves in it as made, and a writer makes those that are missing.
- ``_lock.json``: who writes, see ``lock.py``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ocr_models.errors import UsageError
from pipelines.output.checked_files import read_json
from pipelines.output.schemas import Table
from pipelines.runtime.storage import (
    StorageError,
    delete,
    exists,
    join,
    list_folder,
    move,
    remove_empty_folder,
    write_bytes,
)

COMMIT, UNFINISHED, RUNS, SUPERSEDED, DOCUMENTS_FOLDER = (
    "_commit.json",
    "_unfinished",
    "runs",
    "superseded",
    "documents",
)
DESCRIPTION = "run.json"
"""Says of unfinished files which run they belong to."""


@dataclass(frozen=True)
class Commit:
    """Changes of an output folder that count together. Paths are relative to it.

    Attributes:
        run_id: the run, or other writer, whose unfinished files they are.
        moves: pairs of paths: the file at the first takes the place of any at the second.
        deletes: paths of files that are no longer needed.
    """

    run_id: str
    moves: list[tuple[str, str]]
    deletes: list[str]


def unfinished_folder(run_id: str) -> str:
    """The folder of a run's unfinished files, below the output folder."""
    return f"{UNFINISHED}/{run_id}"


def documents_path(table: Table) -> str:
    """The path of the documents that a table's rows were read from, below the output folder."""
    return f"{DOCUMENTS_FOLDER}/{table.folder}.parquet"


def manifest_path(run_id: str) -> str:
    """The path of a run's manifest, below the output folder."""
    return f"{RUNS}/{run_id}.json"


def check_layout(output: str, table: Table) -> None:
    """Raises UsageError for an output whose runs each have a folder: pages that were read twice are there twice."""
    if any(name.startswith("run=") for name in list_folder(join(output, table.folder))):
        raise UsageError(f"{output}: an older version of Pagebeam wrote its rows: give another --output")


def publish(output: str, commit: Commit) -> None:
    """Makes changes count, and carries them out."""
    write_bytes(join(output, COMMIT), json.dumps(asdict(commit), indent=1).encode())
    _carry_out(output, commit)


def finish_commit(output: str) -> None:
    """Carries out what is missing of changes whose writer was cut off. Only for writers, which hold the lock."""
    commit = pending_commit(output)
    if commit:
        _carry_out(output, commit)


def pending_commit(output: str) -> Commit | None:
    """Changes that count, but may not have been carried out completely; None most of the time."""
    path = join(output, COMMIT)
    try:
        if not exists(path):
            return None
        values: dict[str, Any] = read_json(output, COMMIT, "delete it, and pagebeam doctor --repair")
    except StorageError:
        if exists(path):
            raise
        return None  # carried out at this moment
    return Commit(values["run_id"], [(source, path) for source, path in values["moves"]], values["deletes"])


def _carry_out(output: str, commit: Commit) -> None:
    for source, path in commit.moves:
        if exists(join(output, source)):
            move(join(output, source), join(output, path))
    delete(join(output, path) for path in commit.deletes if exists(join(output, path)))
    remove_unfinished(output, commit.run_id)
    delete([join(output, COMMIT)])


def remove_unfinished(output: str, run_id: str) -> None:
    """Removes the unfinished files of a run, its description last: as long as that is there, the run is known."""
    folder = join(output, unfinished_folder(run_id))
    names = sorted(list_folder(folder), key=lambda name: (name == DESCRIPTION, name))
    delete(join(folder, name) for name in names)
    remove_empty_folder(folder)
    remove_empty_folder(join(output, UNFINISHED), is_deep=False)  # parts may have just made folders in it


def unfinished_runs(output: str) -> list[str]:
    """The ids of runs with unfinished files, oldest first. Only those who hold the lock know that none goes on."""
    names = list_folder(join(output, UNFINISHED))
    return sorted(name.removesuffix(f"/{DESCRIPTION}") for name in names if name.endswith(f"/{DESCRIPTION}"))


def current_files(output: str, folder: str) -> list[str]:
    """The Parquet files that make up a folder of the output now, wherever they are; paths below the output folder."""
    files = current_names(output, folder)
    return [files[path] for path in sorted(files) if _is_rows(path)]


def current_names(output: str, folder: str) -> dict[str, str]:
    """The files of a folder as they are when a pending commit is carried out: for each path, where it is now."""
    pending = pending_commit(output)
    files = {path: path for path in (f"{folder}/{name}" for name in list_folder(join(output, folder)))}
    for source, path in pending.moves if pending else []:
        if path.startswith(f"{folder}/"):
            files[path] = source if exists(join(output, source)) else path
    for path in pending.deletes if pending else []:
        files.pop(path, None)
    return files


def _is_rows(path: str) -> bool:
    return path.endswith(".parquet") and not path.rpartition("/")[2].startswith("_")


def current_file(output: str, path: str) -> str | None:
    """Where a file of the output is now, which a pending commit may replace; None if there is none."""
    pending = pending_commit(output)
    sources = [source for source, target in (pending.moves if pending else []) if target == path]
    return next((place for place in (*sources, path) if exists(join(output, place))), None)
