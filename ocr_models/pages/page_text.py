"""Makes the result of a page of what was read on it: words in lines and reading order, and text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ocr_models.geometry import box_quads, quad_boxes, quad_sizes, run_boxes, transform_quads
from ocr_models.pages.found_page import FoundPage
from ocr_models.pages.layout import order_words
from ocr_models.pages.readings import mean_confidence, own_confidence
from ocr_models.recognition.crops import MARGIN_X
from ocr_models.records import OcrPage, TextLine, Transcript, Word

_MAX_WORDS = 20_000  # of a page are kept, the most certain; a newspaper page has some thousands, an index sheet 15,000


def assemble(parts: Sequence[tuple[FoundPage, Sequence[Transcript]]], min_confidence: float) -> OcrPage:
    """The result of a page.

    Args:
        parts: what was found and read on the page as most of it stands, then on the same page turned otherwise. The
            text of each part follows that of the one before.
        min_confidence: words that the network reads with a lower confidence are left out of the text.
    """
    words: list[Word] = []
    lines: list[TextLine] = []
    texts = []
    is_complete = True
    for page, transcripts in parts:
        kept = [i for i, t in enumerate(transcripts) if t.text]
        if len(kept) > _MAX_WORDS:
            is_complete = False
            kept = sorted(sorted(kept, key=lambda i: -own_confidence(transcripts[i]))[:_MAX_WORDS])
        if kept:
            quads, read = page.quads[kept], [transcripts[i] for i in kept]
            texts.append(_add_part(words, lines, quads, read, page.to_given, min_confidence))
    text = "\n".join(filter(None, texts))
    return OcrPage(text, tuple(words), tuple(lines), parts[0][0].rotation_deg, mean_confidence(words), is_complete)


def _add_part(
    words: list[Word],
    lines: list[TextLine],
    quads: np.ndarray,
    transcripts: Sequence[Transcript],
    to_given: np.ndarray,
    min_confidence: float,
) -> str:
    """Adds the level ``quads`` and their transcripts to ``words`` and ``lines`` in reading order; their text."""
    boxes = quad_boxes(quads)
    layout = order_words(boxes)  # of all words: one that is left out of the text still holds its line together
    # From here on words stand in reading order.
    order = np.concatenate(layout.lines)
    read = [transcripts[i] for i in order.tolist()]
    given = transform_quads(to_given, quads[order])
    stops = np.cumsum([len(line) for line in layout.lines]).tolist()
    starts = [0, *stops[:-1]]
    hulls = run_boxes(boxes[order], np.array(starts))  # level, as the page is
    line_quads = transform_quads(to_given, box_quads(hulls))
    texts = []
    for line_quad, start, stop in zip(line_quads, starts, stops, strict=True):
        of_line = [
            Word(t.text, t.confidence, quad, len(lines), own_confidence(t) >= min_confidence)
            for t, quad in zip(read[start:stop], given[start:stop], strict=True)
        ]
        words += of_line
        texts.append(" ".join(word.text for word in of_line if word.in_text))
        lines.append(TextLine(texts[-1], line_quad, mean_confidence(of_line)))
    return _text_of_lines(texts, layout.starts_block)


def _text_of_lines(lines: Sequence[str], starts_block: Sequence[bool]) -> str:
    """The lines that aren't empty, each with a newline, and an empty line before each block but the first."""
    text, is_new_block = "", False
    for line, starts in zip(lines, starts_block, strict=True):
        is_new_block |= starts
        if line:
            text += ("\n" if is_new_block and text else "") + f"{line}\n"
            is_new_block = False
    return text


def part_at_spaces(page: FoundPage, transcripts: Sequence[Transcript]) -> tuple[FoundPage, list[Transcript]]:
    """Splits boxes in which several words were read, at the spaces between the words."""
    quads: list[np.ndarray] = []
    words: list[Transcript] = []
    for quad, transcript in zip(page.quads, transcripts, strict=True):
        if " " not in transcript.text:
            quads.append(quad)
            words.append(transcript)
            continue
        for part in re.finditer(r"\S+", transcript.text):
            start, stop = part.span()
            quads.append(_quad_part(quad, _space_at(transcript, start - 1), _space_at(transcript, stop)))
            chars = slice(start, stop)
            confidences, places = transcript.char_confidences[chars], transcript.places[chars]
            words.append(replace(transcript, text=part[0], char_confidences=confidences, places=places))
    return replace(page, quads=np.array(quads, np.float32).reshape(-1, 4, 2)), words


def _space_at(transcript: Transcript, i: int) -> float:
    """The position of the i-th character, a space, as a share of the crop; 0 before the text and 1 after it."""
    return 0.0 if i < 0 else 1.0 if i >= len(transcript.text) else transcript.places[i]


def _quad_part(quad: np.ndarray, start: float, stop: float) -> np.ndarray:
    """The part of a quad (4, 2) from ``start`` to ``stop``, which are shares of its crop, margins included."""
    length, height = quad_sizes(quad[None])[0]
    margin = MARGIN_X * height / max(1.0, length)
    shares = sorted((start, stop))  # attention may have moved backward
    low, high = np.clip([share * (1 + 2 * margin) - margin for share in shares], 0, 1)
    along = np.array([[low], [high], [high], [low]])
    return quad[[0, 0, 3, 3]] * (1 - along) + quad[[1, 1, 2, 2]] * along
