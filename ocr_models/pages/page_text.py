"""Makes the result of a page of what was read on it: words in lines and reading order, and text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ocr_models.geometry import box_quads, quad_boxes, quad_sizes, run_boxes, transform_quads
from ocr_models.pages.found_page import FoundPage
from ocr_models.pages.layout import order_words
from ocr_models.pages.leaders import DOTS, LEADER_OR_WORD, as_high_as_neighbors, join_leaders
from ocr_models.pages.readings import mean_confidence, network_confidence, own_confidence
from ocr_models.pages.right_to_left import reading_order
from ocr_models.pages.unknown_script import find_unknown_script
from ocr_models.recognition.crops import MARGIN_X
from ocr_models.records import OcrPage, TextLine, Transcript, Word

WHOLE = (0.0, 1.0)
"""The shares of a crop that are all of it."""

_MAX_WORDS = 20_000  # of a page are kept, the most certain; a newspaper page has some thousands, an index sheet 15,000

# No word helps to read a number, so that the network is less sure of one than of a word that is as legible. Of numbers
# between 0.56 and 0.75 on lines that were read well, 11 of 17 were right on development pages; of words, one in five.
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*%?")
_OF_NUMBERS = 0.75  # of the least confidence of other words


def assemble(parts: Sequence[tuple[FoundPage, Sequence[Transcript]]], min_confidence: float) -> OcrPage:
    """The result of a page.

    Args:
        parts: what was found and read on the page as most of it stands, then on the same page turned otherwise. The
            text of each part follows that of the one before.
        min_confidence: words that the network reads with a lower confidence are left out of the text.
    """
    done: list[_Part] = []
    is_complete = True
    for page, transcripts in parts:
        kept = [i for i, t in enumerate(transcripts) if t.text]
        if len(kept) > _MAX_WORDS:
            is_complete = False
            kept = sorted(sorted(kept, key=lambda i: -own_confidence(transcripts[i]))[:_MAX_WORDS])
        if kept:
            first_line = sum(len(part.lines) for part in done)
            read = [transcripts[i] for i in kept]
            done.append(_lay_out(page.quads[kept], read, page.to_given, first_line, min_confidence))
    words = [word for part in done for word in part.words]
    unknown_chars = sum(part.unknown_chars for part in done)
    return OcrPage(
        "\n".join(part.text for part in done if part.text),
        tuple(words),
        tuple(line for part in done for line in part.lines),
        parts[0][0].rotation_deg,
        mean_confidence(words),
        is_complete,
        unknown_chars / max(1, sum(len(word.text) for word in words)),
    )


class _Part(NamedTuple):
    words: list[Word]
    lines: list[TextLine]
    text: str
    unknown_chars: int


def _lay_out(
    level: np.ndarray, transcripts: Sequence[Transcript], to_given: np.ndarray, first_line: int, min_confidence: float
) -> _Part:
    """Puts words, with their quads on the leveled page, into lines and reading order."""
    level, transcripts, is_leader = join_leaders(level, transcripts)
    boxes = quad_boxes(level)
    # Of all words: one that is left out of the text still holds its line together.
    layout = order_words(as_high_as_neighbors(boxes, is_leader))
    # From here on words stand in reading order.
    texts = [transcript.text for transcript in transcripts]
    in_lines = [reading_order(line, texts) for line in layout.lines]
    order = np.concatenate(in_lines)
    read = [transcripts[i] for i in order.tolist()]
    is_unknown = find_unknown_script(read)
    quads = transform_quads(to_given, level[order])
    stops = np.cumsum([len(line) for line in in_lines]).tolist()
    starts = [0, *stops[:-1]]
    hulls = run_boxes(boxes[order], np.array(starts))  # level, as the page is
    line_quads = transform_quads(to_given, box_quads(hulls))
    words: list[Word] = []
    lines: list[TextLine] = []
    for i, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        line = first_line + i
        least = [min_confidence] * (stop - start)
        if network_confidence(read[start:stop]) >= min_confidence:
            least = [_least_confidence(t.text, min_confidence) for t in read[start:stop]]
        of_line = [_to_word(read[j], quads[j], line, is_unknown[j], least[j - start]) for j in range(start, stop)]
        words += of_line
        text = " ".join(word.text for word in of_line if word.in_text)
        lines.append(TextLine(text, line_quads[i], mean_confidence(of_line)))
    text = _text_of_lines([line.text for line in lines], layout.starts_block)
    unknown_chars = sum(len(t.text) for is_word_unknown, t in zip(is_unknown, read, strict=True) if is_word_unknown)
    return _Part(words, lines, text, unknown_chars)


def _least_confidence(text: str, min_confidence: float) -> float:
    """The least confidence of a word of the text, on a line that is read with confidence as a whole."""
    return _OF_NUMBERS * min_confidence if _NUMBER.fullmatch(text) else min_confidence


def _to_word(read: Transcript, quad: np.ndarray, line: int, is_unknown: bool, min_confidence: float) -> Word:
    """A word of a page; what was read in an unknown script is not right, however sure the network is."""
    is_leader = len(read.text) > 3 and not read.text.strip(DOTS)
    in_text = not (is_unknown or is_leader) and own_confidence(read) >= min_confidence
    return Word(read.text, 0.0 if is_unknown else read.confidence, quad, line, in_text)


def _text_of_lines(lines: Sequence[str], starts_block: Sequence[bool]) -> str:
    """The lines that aren't empty, each with a newline, and an empty line before each block but the first."""
    text, is_new_block = "", False
    for line, starts in zip(lines, starts_block, strict=True):
        is_new_block |= starts
        if line:
            text += ("\n" if is_new_block and text else "") + f"{line}\n"
            is_new_block = False
    return text


def part_words(page: FoundPage, transcripts: Sequence[Transcript]) -> tuple[FoundPage, list[Transcript]]:
    """Splits boxes in which several words, or words and leaders, were read, between them."""
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
