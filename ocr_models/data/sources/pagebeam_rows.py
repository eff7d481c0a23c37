"""The rows that ``pagebeam run`` writes, as labelled pages: the words read are taken as the truth."""

from __future__ import annotations

import functools
import itertools
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ocr_models.data.sources.labels import label_pixels
from ocr_models.data.sources.source import Files, LabelledPicture, RejectedPicture, SourceItem
from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.io.documents import HEAD_BYTES, DocumentKind, page_renderer, sniff_kind
from ocr_models.io.files import open_regular
from ocr_models.io.hashing import FileState, check_unchanged, file_state, hash_file
from ocr_models.io.images import PageImage, decode_image
from ocr_models.io.sequence_example import page_image_bytes
from ocr_models.io.tfrecord import iter_records, open_tfrecord
from ocr_models.pages.word_crops import turn_upright
from ocr_models.records import PageTruth, Task

CHANGED = "the document changed since it was read; run pagebeam run on it again"
DEFAULT_DPI = 200.0  # for rows without one, which are of images: those aren't rendered
_KEYS = ["source_uri", "page_index", "status"]
_COLUMNS = ["source_sha256", "page_count", "dpi", "rotation_deg", "words"]


@dataclass(frozen=True)
class ReadPage:
    """A row with the status "ok".

    Attributes:
        name: the path of the document below the folder that all documents share, and "#3" for the third of many pages.
        source_uri: the document.
        source_sha256: of the document's bytes when it was read.
        page_index: from 0.
        dpi: the resolution at which a PDF's page was rendered.
        rotation_deg: by how much its content is turned clockwise.
        quads: float32 (N, 4, 2), pixels of the page as given.
        texts: N strings.
        confidences: float32 (N,).
        lines: int32 (N,), the index of the line that each word is in.
        in_text: bool (N,), False for words that were read with too little confidence for the page's text.
    """

    name: str
    source_uri: str
    source_sha256: str
    page_index: int
    dpi: float
    rotation_deg: int
    quads: np.ndarray
    texts: tuple[str, ...]
    confidences: np.ndarray
    lines: np.ndarray
    in_text: np.ndarray


def read_pages(files: Files, run_dir: str) -> Iterator[ReadPage]:
    """Yields the pages with status "ok" in an output folder.

    The places of their documents are read first, then the rows in batches.

    Raises:
        UsageError: the folder has no rows or no such page.
    """
    paths = _row_files(files, run_dir)
    uris = {row["source_uri"] for row in _rows(files, paths, [])}
    if not uris:
        raise UsageError(f"{run_dir}: its runs have read no page; give the output folder of a pagebeam run that did")
    folder = _common_folder(uris)
    yield from (_read_page(row, folder) for row in _rows(files, paths, _COLUMNS))


@dataclass(frozen=True)
class PagebeamSource:
    """Pages, turned upright, with the quads and texts read on them; or, for recognition, their words.

    Attributes:
        root: the output folder of ``pagebeam run``.
        task: detection or recognition.
    """

    root: str
    task: Task = Task.DETECTION
    format = "pagebeam"

    def items(self, files: Files) -> Iterator[SourceItem]:
        for page in read_pages(files, self.root):
            yield SourceItem(page.name, page.source_uri, page)

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        page = item.labels
        assert path is not None  # all of its items have one
        try:
            image, quads = turn_upright(page_pixels(path, page), page.quads, page.rotation_deg)
            truth = PageTruth(image, quads, page.texts, ~page.in_text)
            yield label_pixels(item.name, truth, self.task)
        except DocumentError as error:
            yield RejectedPicture(item.name, error.stage, str(error))


def page_pixels(path: str, page: ReadPage) -> np.ndarray:
    """Decodes a page again as it was read.

    Args:
        path: the local path of the document.
        page: the row of the page.

    Returns:
        uint8 (H, W), gray.

    Raises:
        DocumentError: the document has changed since it was read, or can't be decoded.
    """
    state = file_state(path)
    try:
        sha256, kind = _identify(path, state)
    except OSError as error:
        raise DocumentError(Stage.OPEN, f"the document can't be read ({error.strerror})") from error
    if sha256 != page.source_sha256:
        raise DocumentError(Stage.OPEN, CHANGED)
    pixels = _decode(path, state, kind, page)
    check_unchanged(path, sha256)
    return pixels


def _decode(path: str, state: FileState, kind: DocumentKind, page: ReadPage) -> np.ndarray:
    if kind in (DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD):
        with open_tfrecord(Path(path)) as file:
            record = next(itertools.islice(iter_records(file), page.page_index, None))
        return decode_image(page_image_bytes(record)).pixels
    return _renderer(path, state, kind, page.dpi)(page.page_index).pixels


@functools.lru_cache(4)
def _identify(path: str, state: FileState) -> tuple[str, DocumentKind]:
    """The file's SHA-256 and kind, determined once for all of its pages."""
    with open_regular(path) as file:
        digest = hash_file(file, HEAD_BYTES)
    return digest.sha256, sniff_kind(digest.head)


@functools.lru_cache(4)
def _renderer(path: str, state: FileState, kind: DocumentKind, dpi: float) -> Callable[[int], PageImage]:
    """Keeps the last documents open, since their pages are usually requested one after the other."""
    return page_renderer(path, kind, dpi)


def _row_files(files: Files, run_dir: str) -> list[str]:
    """The Parquet files of the current rows; what is being written has a name that begins with "_"."""
    found = files.list(posixpath.join(run_dir, "pages"))
    paths = [path for path in found if path.endswith(".parquet") and not posixpath.basename(path).startswith("_")]
    if not paths:
        raise UsageError(f"{run_dir}: no finished run; give the output folder of pagebeam run, with pages/")
    return paths


def _rows(files: Files, paths: list[str], columns: list[str]) -> Iterator[dict[str, Any]]:
    for path in paths:
        with files.open(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(64, columns=_KEYS + columns):
                yield from (row for row in batch.to_pylist() if row["status"] == "ok")


def _common_folder(uris: set[str]) -> str:
    """The common beginning of all URIs, up to and including a slash."""
    first, last = min(uris), max(uris)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[: first.rfind("/", 0, length) + 1]


def _read_page(row: dict[str, Any], folder: str) -> ReadPage:
    words = row["words"]
    return ReadPage(
        name=row["source_uri"].removeprefix(folder) + (f"#{row['page_index'] + 1}" if row["page_count"] != 1 else ""),
        source_uri=row["source_uri"],
        source_sha256=row["source_sha256"],
        page_index=row["page_index"],
        dpi=row["dpi"] or DEFAULT_DPI,
        rotation_deg=row["rotation_deg"],
        quads=np.array([word["quad"] for word in words], np.float32).reshape(-1, 4, 2),
        texts=tuple(word["text"] for word in words),
        confidences=np.array([word["confidence"] for word in words], np.float32),
        lines=np.array([word["line"] for word in words], np.int32),
        in_text=np.array([word.get("in_text") is not False for word in words], bool),  # rows of version 1 have no other
    )
