"""The failed pages among the current rows of an output folder, and what to give to a run that reads them again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.output.documents_table import read_documents
from pipelines.output.read_rows import read_files
from pipelines.output.schemas import Table
from pipelines.output.snapshot import read_together
from pipelines.runtime.storage import is_remote

COLUMNS = ("source_uri", "page_index", "page_count", "failure", "run_id")
_QUOTED = re.compile(r"(?<!\w)(['\"]).*?\1(?!\w)")  # not the apostrophe of "can't"
_PATH = re.compile(r"(?<![\w×])[\w.+:-]*/\S+")
_NUMBER = re.compile(r"(?<![A-Za-z])\d+(?:[.,]\d+)*")


class FailedPage(NamedTuple):
    """A failed row, without what the failure doesn't change; the fields are those of ``schemas.PAGES``."""

    source_uri: str
    page_index: int
    page_count: int | None
    stage: str
    error_type: str
    message: str
    run_id: str


def find_failed_pages(output: str, table: Table, stage: str | None = None) -> list[FailedPage]:
    """The failed pages in the order of their documents and indices.

    Args:
        output: the output folder, on any Beam file system.
        table: the schema of the rows.
        stage: only pages that failed there; None for all.
    """

    def read() -> list[FailedPage]:
        return [page for _, rows in read_files(output, table, COLUMNS) for page in failed_pages(rows)]

    return sorted(page for page in read_together(output, read) if stage in (None, page.stage))


def failed_pages(rows: pa.Table) -> Iterator[FailedPage]:
    """The failed ones among some rows, which have the columns ``COLUMNS``."""
    for row in rows.filter(pc.is_valid(rows["failure"])).select(COLUMNS).to_pylist():
        yield FailedPage(**row.pop("failure"), **row)


def reason(page: FailedPage) -> tuple[str, str]:
    """The stage and message of a failure, without what only its file has: numbers, paths and quoted text."""
    message = page.message.replace(page.source_uri, "…")
    return page.stage, _NUMBER.sub("N", _PATH.sub("…", _QUOTED.sub("…", message)))


def uris_to_retry(output: str, table: Table, pages: Iterable[FailedPage]) -> tuple[list[str], list[str]]:
    """The documents of failed pages, each once: those that may be there, and those that vanished.

    A vanished one must not be given to a run, which would refuse it as an input without documents.
    """
    uris = dict.fromkeys(page.source_uri for page in pages)
    gone: set[str] = set()
    for batch in read_documents(output, table, ("uri", "vanished")):
        gone.update(uris.keys() & set(batch.filter(pc.is_valid(batch["vanished"]))["uri"].to_pylist()))
    gone |= {uri for uri in uris.keys() - gone if not is_remote(uri) and not os.path.lexists(uri)}
    return [uri for uri in uris if uri not in gone], [uri for uri in uris if uri in gone]
