"""Reading an output folder while others write to it: what is read belongs together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ocr_models.errors import PagebeamError
from pipelines.output.output_folder import RUNS, SUPERSEDED, current_names, pending_commit
from pipelines.output.schemas import TABLES
from pipelines.runtime.storage import StorageError

_TRIES = 6
_PAUSE_S = 0.2  # doubled with each try: 6 s in all, in which a commit moves hundreds of files
_T = TypeVar("_T")


def read_together(output: str, read: Callable[[], _T]) -> _T:
    """Calls a function that reads an output folder, again if a commit came between; returns what it returns.

    Without that, a reader that opens files one after the other could miss rows, or see them twice: one file as it was
    before the commit, another as it is after.

    Args:
        output: the output folder, on any Beam file system.
        read: reads without changing anything, as it may be called several times.

    Raises:
        PagebeamError: commits came between each time.
    """
    for tries in range(_TRIES):
        pending, before = pending_commit(output), _version(output)
        failure = None
        try:
            result = read()
        except StorageError as error:
            failure = error
        after = _version(output)
        if failure is None and after == before:
            return result
        if failure and (tries == _TRIES - 1 or (after == before and not pending)):  # no commit has to do with it
            raise failure
        time.sleep(_PAUSE_S * 2**tries)
    raise PagebeamError(f"{output} changed each time while it was read; read it again when no run is about to end")


def _version(output: str) -> set[str]:
    """What differs before and after each commit: a run adds its manifest, a compaction renames files."""
    folders = (RUNS, *TABLES, *(f"{SUPERSEDED}/{folder}" for folder in TABLES))
    names = (name for folder in folders for name in current_names(output, folder))
    return {name for name in names if not name.rpartition("/")[2].startswith("_")}  # not files that are being written
