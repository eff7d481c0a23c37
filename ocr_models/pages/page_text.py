"""Makes the result of a page of what was read on it: words in lines and reading order, and text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ocr_models.geometry import box_quads, quad_boxes, quad_sizes, run_boxes, transform_quads
from ocr_models.pages.blocks import LaidBlock, find_blocks
from ocr_models.pages.found_page import FoundPage
from ocr_models.pages.groups import flat_lists
from ocr_models.pages.layout import order_words
from ocr_models.pages.leaders import DOTS, LEADER_OR_WORD, as_high_as_neighbors, is_leader, join_leaders
from ocr_models.pages.readings import mean_confidence, network_confidence, own_confidence
from ocr_models.pages.right_to_left import reading_order
from ocr_models.pages.unknown_script import find_unknown_script
from ocr_models.recognition.crops import MARGIN_X
from ocr_models.records import OcrPage, TableCell, TextBlock, TextLine, Transcript, Word

WHOLE = (0.0, 1.0)
"""The shares of a crop that are all of it."""

_MAX_WORDS = 20_000  # of a page are kept, the most certain; a newspaper page has some thousands, an index sheet 15,000

# No word helps to read a number or a single letter, so that the network is less sure of one than of a word that is as
# legible. Of numbers between 0.56 and 0.75 on lines that were read well, 11 of 17 were right on development pages, of
# letters 12 of 18; of words, one in five.
_ALONE = re.compile(r"[±−≤≥≈]?\d+(?:[.,:/-]\d+)*%?|[A-Za-zα-ωΓΔΘΛΞΠΣΦΨΩ]")
_OF_ALONE = 0.75  # of the least confidence of other words
_HAS_PARTS = re.compile(rf"\s|[{DOTS}]{{4,}}")


def assemble(parts: Sequence[tuple[FoundPage, Sequence[Transcript]]], min_confidence: float) -> OcrPage:
    """The result of a page.

    Args:
        parts: what was found and read on the page as most of it stands, then on the same page turned otherwise. The
            text of each part follows that of the one before.
        min_confidence: words that the network reads with a lower confidence are left out of the text.
    """
    words: list[Word] = []
    lines: list[TextLine] = []
    blocks: list[TextBlock] = []
    is_complete, unknown_chars = True, 0
    for page, transcripts in parts:
        kept = [i for i, t in enumerate(transcripts) if t.text]
        if len(kept) > _MAX_WORDS:
            is_complete = False
            kept = sorted(sorted(kept, key=lambda i: -own_confidence(transcripts[i]))[:_MAX_WORDS])
        if kept:
            firsts = _Firsts(len(words), len(lines), len(blocks))
            read = [transcripts[i] for i in kept]
            part = _lay_out(replace(page, quads=page.quads[kept]), read, firsts, min_confidence)
            words += part.words
            lines += part.lines
            blocks += part.blocks
            unknown_chars += part.unknown_chars
    return OcrPage(
        _text_of_lines(lines),
        tuple(words),
        tuple(lines),
        parts[0][0].rotation_deg,
        mean_confidence(words),
        is_complete,
        unknown_chars / max(1, sum(len(word.text) for word in words)),
        blocks=tuple(blocks),
    )


class _Firsts(NamedTuple):
    """Indices of the first word, line and block of a part."""

    word: int
    line: int
    block: int


class _Part(NamedTuple):
    words: list[Word]
    lines: list[TextLine]
    blocks: list[TextBlock]
    unknown_chars: int


def _lay_out(page: FoundPage, transcripts: Sequence[Transcript], firsts: _Firsts, min_confidence: float) -> _Part:
    """Puts words into lines, blocks and reading order."""
    level, transcripts, are_leaders = join_leaders(page.quads, transcripts)
    boxes = quad_boxes(level)
    # Of all words: one that is left out of the text still holds its line together.
    rows = as_high_as_neighbors(boxes, are_leaders)
    are_dots = np.array([is_leader(t.text) for t in transcripts])
    are_sure, with_alone = _are_likely(transcripts, min_confidence)
    layout = order_words(rows, page.grids, with_alone | are_dots)
    is_unknown, in_text = _judge_words(transcripts, layout.lines, min_confidence, are_sure, with_alone)
    kept = (in_text | are_dots).tolist()
    in_text &= ~are_dots
    texts = [t.text if is_kept else "" for t, is_kept in zip(transcripts, kept, strict=True)]
    laid = find_blocks(rows, texts, layout, page.image.shape[0])
    # From here on words stand in reading order.
    all_texts = [transcript.text for transcript in transcripts]
    laid_lines = [reading_order(line, all_texts) for block in laid for line in block.lines]
    order, line_of = flat_lists(laid_lines)
    words = [
        Word(t.text, 0.0 if is_other else t.confidence, quad, line, is_in)
        for t, is_other, quad, line, is_in in zip(
            [transcripts[i] for i in order.tolist()],
            is_unknown[order].tolist(),
            transform_quads(page.to_given, level[order]),
            (line_of + firsts.line).tolist(),
            in_text[order].tolist(),
            strict=True,
        )
    ]
    line_starts = np.flatnonzero(np.diff(line_of, prepend=-1))
    block_starts = np.cumsum([0, *(len(block.lines) for block in laid[:-1])])
    hulls = run_boxes(boxes[order], line_starts)  # level, as the page is
    line_quads, block_quads = (
        transform_quads(page.to_given, box_quads(h)) for h in (hulls, run_boxes(hulls, block_starts))
    )
    of_lines = [words[start : start + len(line)] for start, line in zip(line_starts, laid_lines, strict=True)]
    block_of = np.repeat(np.arange(len(laid)) + firsts.block, [len(block.lines) for block in laid]).tolist()
    lines = [
        TextLine(" ".join(w.text for w in of_line if w.in_text), quad, mean_confidence(of_line), block)
        for of_line, quad, block in zip(of_lines, line_quads, block_of, strict=True)
    ]
    place = np.argsort(order) + firsts.word
    blocks = [_to_block(block, quad, place) for block, quad in zip(laid, block_quads, strict=True)]
    unknown_chars = sum(len(transcripts[i].text) for i in np.flatnonzero(is_unknown))
    return _Part(words, lines, blocks, unknown_chars)


def _to_block(block: LaidBlock, quad: np.ndarray, place: np.ndarray) -> TextBlock:
    """A block of a page, whose words have these places in reading order."""
    cells = None
    if block.cells is not None:
        cells = tuple(TableCell(*cell[:4], tuple(sorted(place[cell.words].tolist()))) for cell in block.cells)
    return TextBlock(block.kind, quad, block.level, block.column, cells)


def _are_likely(transcripts: Sequence[Transcript], min_confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Bool (N,) each: of which words the network is sure, and of which if its line is read well."""
    confidences = np.array([own_confidence(transcript) for transcript in transcripts])
    are_sure = confidences >= min_confidence
    with_alone = are_sure.copy()
    for i in np.flatnonzero(~are_sure & (confidences >= _OF_ALONE * min_confidence)).tolist():
        with_alone[i] = _ALONE.fullmatch(transcripts[i].text) is not None
    return are_sure, with_alone


def _judge_words(
    transcripts: Sequence[Transcript],
    lines: Sequence[Sequence[int]],
    min_confidence: float,
    are_sure: np.ndarray,
    with_alone: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Bool (N,) each: which words are in an unknown script, and which others are sure to be text.

    What was read in an unknown script is not right, however sure the network is.
    """
    is_unknown, in_text = np.zeros(len(transcripts), bool), are_sure.copy()
    in_order = [word for line in lines for word in line]
    is_unknown[in_order] = find_unknown_script([transcripts[i] for i in in_order])
    are_alone = (with_alone & ~are_sure).tolist()
    for line in lines:
        alone = [i for i in line if are_alone[i]]
        if alone and network_confidence([transcripts[i] for i in line]) >= min_confidence:
            in_text[alone] = True
    return is_unknown, in_text & ~is_unknown


def _text_of_lines(lines: Sequence[TextLine]) -> str:
    """The lines that aren't empty, each with a newline, and an empty line before each block but the first."""
    text, block = "", -1
    for line in lines:
        if line.text:
            text += ("\n" if text and line.block != block else "") + f"{line.text}\n"
            block = line.block
    return text


def part_words(page: FoundPage, transcripts: Sequence[Transcript]) -> tuple[FoundPage, list[Transcript]]:
    """Splits boxes in which several words, or words and leaders, were read, between them."""
    if not _HAS_PARTS.search("\0".join(transcript.text for transcript in transcripts)):
        return page, list(transcripts)
    owners: list[int] = []
    shares: list[tuple[float, float]] = []
    words: list[Transcript] = []
    for i, transcript in enumerate(transcripts):
        text, confidences, places = transcript.text, transcript.char_confidences, transcript.places
        parts = [part.span() for part in LEADER_OR_WORD.finditer(text)]
        owners += [i] * len(parts)
        if parts == [(0, len(text))]:
            shares.append(WHOLE)
            words.append(transcript)
            continue
        for start, stop in parts:
            chars = slice(start, stop)
            shares.append((_border(transcript, start), _border(transcript, stop)))
            words.append(
                replace(transcript, text=text[chars], char_confidences=confidences[chars], places=places[chars])
            )
    return replace(page, quads=quad_parts(page.quads[owners], shares)), words


def _border(transcript: Transcript, i: int) -> float:
    """Where the i-th character begins, as a share of the crop: in the middle of a space beside it."""
    text, places = transcript.text, transcript.places
    if i in (0, len(text)):
        return float(i > 0)
    before, after = (places[j] for j in (i - 1, i))
    return before if text[i - 1] == " " else after if text[i] == " " else (before + after) / 2


def quad_parts(quads: np.ndarray, shares: Sequence[tuple[float, float]]) -> np.ndarray:
    """The parts of quads, float32 (N, 4, 2), between two ``shares`` of the width of their crops, margins included."""
    along, across = quad_sizes(quads).T
    margins = (MARGIN_X * across / np.maximum(1.0, along))[:, None]
    ends = np.sort(np.array(shares, np.float32).reshape(-1, 2), axis=1)  # attention may have moved backward
    left, right = np.clip(ends * (1 + 2 * margins) - margins, 0, 1).T
    places = np.stack([left, right, right, left], axis=1)[..., None]
    return quads[:, [0, 0, 3, 3]] * (1 - places) + quads[:, [1, 1, 2, 2]] * places
