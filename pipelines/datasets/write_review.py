"""From a run's rows to a review sheet: the words read with low confidence, which a person corrects.

It is a plain loop, not a Beam pipeline: a person reviews hundreds of words, which are cut from their pages in a minute.
They are found in one pass over the rows, a row group at a time.
"""

from __future__ import annotations

import csv
import hashlib
import heapq
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocr_models.data.sources.pagebeam_rows import ReadPage, page_pixels, read_pages
from ocr_models.data.sources.pictures import encode_picture
from ocr_models.errors import DocumentError, PagebeamError, Stage, UsageError
from ocr_models.pages.word_crops import cut_read_words
from ocr_models.reports.review_sheet import COLUMNS, DoubtfulWord, render_sheet
from pipelines.decoding.pool import shared_pool
from pipelines.inputs.local_copies import local_copy
from pipelines.inputs.page_ranges import page_id
from pipelines.inputs.source_files import SourceFiles
from pipelines.runtime.storage import join, write_bytes

DEFAULT_LIMIT = 1000
_Doubt = tuple[float, str, int, int, ReadPage]
"""A word read with low confidence: its sort key (confidence, document, page, index) and its page."""


@dataclass(frozen=True)
class ReviewSummary:
    """What is in a review, and what is missing.

    Attributes:
        words: number of words in it.
        pages: number of pages that they are from.
        left_out: number of words of low confidence beyond the limit.
        failures: the pages whose words are missing, each with the reason.
    """

    words: int
    pages: int
    left_out: int
    failures: tuple[str, ...]


@dataclass(frozen=True)
class CutWords:
    """Asks a decoding child process for the crops of some words of a page, as encoded pictures.

    Attributes:
        path: local path of the document.
        page: the page.
        indices: indices of the words in the page.
    """

    path: str
    page: ReadPage
    indices: tuple[int, ...]
    stage = Stage.DECODE

    def answer(self) -> list[bytes]:
        crops = cut_read_words(page_pixels(self.path, self.page), self.page.quads, self.page.rotation_deg)
        return [encode_picture(crops[i]) for i in self.indices]


def write_review(run_dir: str, output: str, below: float, limit: int = DEFAULT_LIMIT) -> ReviewSummary:
    """Writes ``review.html``, ``words.csv`` and ``crops/`` for the words read with a confidence under ``below``.

    If a page can't be opened any more, only its own words are left out.

    Args:
        run_dir: the output folder of ``pagebeam run``; if several finished runs read a page, the last one counts.
        output: the review's folder; like ``run_dir``, on any Beam file system.
        below: confidence, 0 to 1.
        limit: maximum number of words; those with the least confidence are kept.

    Raises:
        UsageError: there is no finished run or no such word.
        PagebeamError: none of the pages could be opened, or the folder can't be written to.
    """
    total, doubts = _find_doubts(SourceFiles(excluded=output), run_dir, below, limit)
    if not doubts:
        raise UsageError(f"{run_dir}: no word was read with a confidence under {below:g}; give a higher --below")
    words: list[DoubtfulWord] = []
    failures: list[str] = []
    pages = 0
    for page, indices in _by_page(doubts):
        try:
            words += _cut(page, indices)
            pages += 1
        except DocumentError as error:
            failures.append(f"{page.source_uri}, page {page.page_index + 1}: {error} ({len(indices)} words left out)")
    if not words:
        raise PagebeamError(f"none of the {len(failures)} pages could be opened again; the first: {failures[0]}")
    words.sort(key=lambda word: (word.confidence, word.crop))
    summary = ReviewSummary(len(words), pages, total - len(doubts), tuple(failures))
    _write(output, words, summary)
    return summary


def _find_doubts(files: SourceFiles, run_dir: str, below: float, limit: int) -> tuple[int, list[_Doubt]]:
    """The number of words with a confidence under ``below``, and up to ``limit`` of them, least confident first."""
    counter = itertools.count()
    found = (
        (float(confidence), page.source_uri, page.page_index, i, page)
        for page in read_pages(files, run_dir)
        for i, confidence in enumerate(page.confidences)
        if confidence < below and next(counter) >= 0
    )
    doubts = heapq.nsmallest(limit, found, key=lambda doubt: doubt[:4])
    return next(counter), doubts


def _by_page(doubts: Sequence[_Doubt]) -> Iterator[tuple[ReadPage, tuple[int, ...]]]:
    in_place = sorted(doubts, key=lambda doubt: doubt[1:4])
    for _, of_page in itertools.groupby(in_place, key=lambda doubt: doubt[1:3]):
        words = list(of_page)
        yield words[0][4], tuple(doubt[3] for doubt in words)


def _cut(page: ReadPage, indices: tuple[int, ...]) -> Iterator[DoubtfulWord]:
    """Yields the page's doubtful words with their pictures. Raises DocumentError if it can't be opened."""
    file = local_copy(page.source_uri, page.source_sha256)
    pictures = shared_pool().call(CutWords(file.name, page, indices)).value
    page_key = page_id(page.source_uri, page.source_sha256, page.page_index)[:12]
    for i, png in zip(indices, pictures, strict=True):
        in_line = [j for j, line in enumerate(page.lines) if line == page.lines[i]]
        yield DoubtfulWord(
            crop=f"crops/{page_key}-{i:04d}.png",
            png=png,
            read=page.texts[i],
            confidence=float(page.confidences[i]),
            source_uri=page.source_uri,
            page_index=page.page_index,
            quad=" ".join(f"{number:g}" for number in page.quads[i].ravel().tolist()),
            before=" ".join(page.texts[j] for j in in_line if j < i),
            after=" ".join(page.texts[j] for j in in_line if j > i),
        )


def _write(output: str, words: Sequence[DoubtfulWord], summary: ReviewSummary) -> None:
    for word in words:
        _write_file(join(output, word.crop), word.png)
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    writer.writerows(word.cells() for word in words)
    _write_file(
        join(output, "words.csv"), table.getvalue().encode("utf-8-sig")
    )  # the byte-order mark tells spreadsheets that it is UTF-8
    notes = [f"Left out, as their confidence is higher: {summary.left_out:,} words."] if summary.left_out else []
    notes += [f"Left out: {failure}" for failure in summary.failures]
    sheet_id = hashlib.sha256(table.getvalue().encode()).hexdigest()[:16]
    _write_file(join(output, "review.html"), render_sheet(words, notes, sheet_id, output).encode())


def _write_file(path: str, data: bytes) -> None:
    try:
        write_bytes(path, data)
    except Exception as error:  # each file system has its own kinds of errors
        raise PagebeamError(f"can't write {path}: {error}") from error
