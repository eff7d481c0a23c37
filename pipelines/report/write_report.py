"""Writes a report: static pages, and the data of an output folder as scripts.

Browsers let a page that was opened from disk load scripts and pictures beside it, but no other files: so all data is in
scripts that call ``pagebeam.add``. The index of all pages is loaded at the start, texts when they are searched, and
words with the page that they are on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from ocr_models.errors import UsageError
from pipelines.output.current_view import check_output, describe_output
from pipelines.output.failed_pages import FailedPage, reason
from pipelines.output.read_rows import read_batches, read_files
from pipelines.output.schemas import Row, Table
from pipelines.output.snapshot import read_together
from pipelines.report.page_pictures import COLUMNS as PICTURE_COLUMNS
from pipelines.report.page_pictures import draw_pages
from pipelines.runtime.storage import create_file, delete, join, list_folder, writing
from pipelines.runtime.versions import versions

LISTED = 20  # slowest pages, and least confident pages, on the report's first page
_STATIC = Path(__file__).with_name("static")
_MARK = "report.js"  # written first: a folder that has it is a report's
_SUMMARY = "summary.js"
_PAGES_PER_SCRIPT = {"index": 4096, "texts": 512, "words": 32}  # up to 1 MB each
_READ_BY = ("text_source", "detector_id", "recognizer_id", "captioner_id", "engine", "dpi", "run_id")
_COLUMNS = (
    *("page_id", "source_uri", "source_kind", "page_index", "page_count", "width_px", "height_px", "rotation_deg"),
    *("status", "failure", "mean_confidence", "words", "lines", "blocks", "elapsed_ms", *_READ_BY),
)


@dataclass(frozen=True)
class Report:
    """What is in a report.

    Attributes:
        pages: number of pages.
        pictures: number of them that have a picture.
        missing: why others that should have one haven't, by page id.
    """

    pages: int
    pictures: int
    missing: dict[str, str]


def write_report(output: str, report: str, table: Table, pictures: int | None) -> Report:
    """Writes the report of an output folder in the place of an earlier one, whose pictures are used again.

    In memory are some 200 bytes for each page, and what a script holds.

    Args:
        output: the output folder of ``pagebeam run`` or ``pagebeam caption``.
        report: the folder of the report; like the other, on any Beam file system.
        table: the schema of the rows.
        pictures: maximum number of pages with a picture; None for all.

    Raises:
        UsageError: no run has written to the output folder, or the report's folder has other files.
        OutputError: the report can't be written.
    """
    check_output(output)
    before = set(list_folder(report))
    if before and _MARK not in before:
        raise UsageError(f"{report} has other files; give a new folder, or that of an earlier report, as --output")
    for file in sorted(_STATIC.iterdir(), key=lambda file: file.name != _MARK):
        _write(join(report, file.name), file.read_bytes())
    wanted = read_together(output, lambda: _choose_pictures(output, table, pictures))
    missing = _draw(report, wanted, before)
    drawn = set(wanted["page_id"].to_pylist()) - missing.keys()
    pages, scripts = read_together(output, lambda: _write_data(output, report, table, drawn, missing))
    kept = {f"data/{name}" for name in scripts} | set(map(_picture_path, drawn))
    delete(join(report, name) for name in before if name.startswith(("data/", "pictures/")) and name not in kept)
    return Report(pages, len(drawn), missing)


def _choose_pictures(output: str, table: Table, count: int | None) -> pa.Table:
    """The pages to draw: the slowest ones that the report lists, and then those with the least confidence."""
    order = [name for name in ("elapsed_ms", "mean_confidence") if name in table.schema.names]
    found = (rows for _, rows in read_files(output, table, [*PICTURE_COLUMNS, *order]))
    pages = pa.concat_tables(rows.filter(pc.is_valid(rows["width_px"])) for rows in found)
    if count is not None and len(pages) > count:
        slowest = pc.sort_indices(pages, [("elapsed_ms", "descending")]).to_pylist()
        least = pc.sort_indices(pages, [(order[-1], "ascending")]).to_pylist()  # nulls are last
        chosen = list(dict.fromkeys([*slowest[:LISTED], *least]))[:count]
        pages = pages.take(pa.array(chosen, pa.int64()))
    return pages.select(PICTURE_COLUMNS).sort_by([("source_uri", "ascending"), ("page_index", "ascending")])


def _draw(report: str, pages: pa.Table, before: set[str]) -> dict[str, str]:
    """Writes the pictures that an earlier report didn't have; returns why some are missing, by page id."""
    rows = (row for batch in pages.to_batches(max_chunksize=64) for row in batch.to_pylist())
    new = (row for row in rows if _picture_path(row["page_id"]) not in before)
    missing: dict[str, str] = {}
    for picture in tqdm(draw_pages(new), "pictures", len(pages), unit="page", disable=None, leave=False):
        if picture.data is None:
            missing[picture.page_id] = picture.error or ""
        else:
            _write(join(report, _picture_path(picture.page_id)), picture.data)
    return missing


def _picture_path(page_id: str) -> str:
    return f"pictures/{page_id}.webp"


def _write_data(
    output: str, report: str, table: Table, drawn: set[str], missing: dict[str, str]
) -> tuple[int, set[str]]:
    """Writes the scripts; returns the number of pages, and the scripts' names."""
    status = describe_output(output)
    failures = status["tables"][table.folder]["failures"]
    reasons = {(failure["stage"], failure["reason"]): i for i, failure in enumerate(failures)}
    scripts = {kind: _Scripts(report, kind, size) for kind, size in _PAGES_PER_SCRIPT.items()}
    last_uri, pages = None, 0
    for row, words in _pages(output, table):
        uri = 0 if row["source_uri"] == last_uri else row["source_uri"]
        last_uri = row["source_uri"]
        scripts["index"].add([uri, *_index_entry(row, table, len(words.get("t", ())), reasons, drawn)])
        scripts["texts"].add(row[table.headline] or "")
        scripts["words"].add(words | _details(row, missing.get(row["page_id"])))
        pages += 1
    names = {name for script in scripts.values() for name in script.finish()}
    _write_summary(output, report, table, status, pages)
    return pages, names | {_SUMMARY}


def _pages(output: str, table: Table) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Each page's row without its words, lines and blocks, and these as ``_words`` and ``_layouts`` have them."""
    columns = [name for name in (*_COLUMNS, table.headline) if name in table.schema.names]
    for rows in read_batches(output, table, columns):
        words = _words(rows) if "words" in columns else iter([{}] * len(rows))
        layouts = _layouts(rows) if "blocks" in columns else iter([{}] * len(rows))
        others = rows.select([name for name in columns if name not in ("words", "lines", "blocks")])
        for row, of_page, layout in zip(others.to_pylist(), words, layouts, strict=True):
            yield row, of_page | layout


def _index_entry(
    row: Row, table: Table, words: int, reasons: dict[tuple[str, str], int], drawn: set[str]
) -> list[int | str | None]:
    """What lists and charts show of a page, after its document, in the order that ``report.js`` reads."""
    return [
        row["page_index"],
        row["page_count"],
        table.statuses.index(row["status"]),
        _per_mille(row.get("mean_confidence")),
        words,
        round(row["elapsed_ms"]),
        _reason(row, reasons),
        row["page_id"] if row["page_id"] in drawn else 0,
    ]


def _write_summary(output: str, report: str, table: Table, status: dict[str, Any], pages: int) -> None:
    summary = {
        "output": output,
        "table": table.folder,
        "statuses": table.statuses,
        "listed": LISTED,
        "pages": pages,
        "per_script": _PAGES_PER_SCRIPT,
        "status": status["tables"][table.folder],
        "runs": [run for run in status["runs"] if run["table"] == table.folder],
        "drift": status["drift"],
        "versions": versions(),
    }
    _write(join(report, f"data/{_SUMMARY}"), b"pagebeam.summary = " + _as_json(summary) + b";\n")


class _Scripts:
    """Collects what there is to say of pages, and writes a script whenever there is enough."""

    def __init__(self, report: str, kind: str, size: int) -> None:
        self._report, self._kind, self._size = report, kind, size
        self._items: list[bytes] = []
        self._written: list[str] = []

    def add(self, item: Any) -> None:
        """Accepts what there is to say of the next page."""
        self._items.append(_as_json(item))
        if len(self._items) == self._size:
            self.finish()

    def finish(self) -> list[str]:
        """Writes what is left; returns the names of all scripts."""
        if self._items:
            number, name = len(self._written), f"{self._kind}-{len(self._written):05d}.js"
            script = (
                b'pagebeam.add("%s", %d, [\n' % (self._kind.encode(), number) + b",\n".join(self._items) + b"\n]);\n"
            )
            _write(join(self._report, f"data/{name}"), script)
            self._written.append(name)
            self._items = []
        return self._written


def _words(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """For each row its words: texts t, confidences c in percent, quads q in pixels, lines l, and x, those left out."""
    column = rows["words"].combine_chunks()
    flat = column.flatten()
    texts, lines = flat.field("text").to_pylist(), flat.field("line").to_pylist()
    confidences = np.floor(pc.fill_null(flat.field("confidence"), 1.0).to_numpy(zero_copy_only=False) * 100).astype(int)
    quads = np.round(flat.field("quad").flatten().to_numpy(zero_copy_only=False)).astype(int).reshape(len(texts), 8)
    left_out = pc.invert(pc.fill_null(flat.field("in_text"), True)).to_numpy(zero_copy_only=False)
    stop = 0
    for count in pc.fill_null(pc.list_value_length(column), 0).to_pylist():
        start, stop = stop, stop + count
        yield {
            "t": texts[start:stop],
            "c": confidences[start:stop].tolist(),
            "q": quads[start:stop].ravel().tolist(),
            "l": lines[start:stop],
            "x": np.flatnonzero(left_out[start:stop]).tolist(),
        }


def _layouts(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """For each row its blocks b and the quads n of its lines in pixels; nothing for rows that have no blocks.

    A block is its kind, level or 0, column, number of lines, quad in pixels, and cells or 0; a cell its row, column,
    spans of rows and columns, and words.
    """
    for row in rows.select(["lines", "blocks"]).to_pylist():
        if not row["blocks"]:
            yield {}
            continue
        counts = Counter(line["block"] for line in row["lines"])
        yield {
            "n": [round(side) for line in row["lines"] for side in line["quad"]],
            "b": [
                [
                    block["kind"],
                    block["level"] or 0,
                    block["column"],
                    counts[i],
                    list(map(round, block["quad"])),
                    [list(cell.values()) for cell in block["cells"]] if block["cells"] else 0,
                ]
                for i, block in enumerate(row["blocks"])
            ],
        }


def _details(row: Row, no_picture: str | None) -> dict[str, Any]:
    """What the viewer says of a page besides its words."""
    read_by = {name: row[name] for name in _READ_BY if row.get(name) is not None}
    size = {"width": row["width_px"], "height": row["height_px"], "turned": row.get("rotation_deg") or 0}
    return {**size, "read_by": read_by, "failure": row["failure"], "no_picture": no_picture}


def _reason(row: Row, reasons: dict[tuple[str, str], int]) -> int:
    """The number of the reason for which a page failed; -1 if it didn't."""
    if not row["failure"]:
        return -1
    page = FailedPage(row["source_uri"], row["page_index"], row["page_count"], **row["failure"], run_id=row["run_id"])
    return reasons.get(reason(page), -1)


def _per_mille(share: float | None) -> int | None:
    return None if share is None else round(1000 * share)


def _as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _write(path: str, data: bytes) -> None:
    """Writes a file that can be made again: no need to wait until it is on the disk."""
    with writing(path), create_file(path) as file:
        file.write(data)
