"""Leaders: the rows of dots that lead the eye from a title to its page number, and rules made of marks.

The detector sees a leader as dozens of thin boxes, in which dots, "eeee" or nothing certain is read; a text layer may
have each dot as a word, in a box as high as others. They become one word, so that the title and its number stay on one
line. Dots are not in the text of a page, other marks may be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ocr_models.geometry import box_quads, quad_boxes
from ocr_models.pages.layout import chains, word_successors
from ocr_models.pages.readings import SURE, mean_confidence, network_confidence, own_confidence
from ocr_models.records import Transcript

DOTS = ".·•…"
_MARKS = f"{DOTS}_=*~-"
_RUN = re.compile(rf"([{_MARKS}])\1{{3,}}")  # three dots are an ellipsis
LEADER_OR_WORD = re.compile(rf"[{DOTS}]{{4,}}|(?:(?![{DOTS}]{{4,}})\S)+")
_LEAST_MARKS = 4
_THIN = 0.5  # height of the boxes of a leader in heights of words; commas and dashes are as thin, but not in rows
_LEAST_LENGTH = 2.0  # of a leader that is made of several boxes, in heights of words


def join_leaders(
    quads: np.ndarray, transcripts: Sequence[Transcript]
) -> tuple[np.ndarray, list[Transcript], np.ndarray]:
    """Makes one word of each leader.

    Args:
        quads: float32 (N, 4, 2), level.
        transcripts: N, of which none is empty.

    Returns:
        M quads and transcripts, those of leaders last, and bool (M,), which of them are leaders.
    """
    boxes = quad_boxes(quads)
    heights = boxes[:, 3] - boxes[:, 1]
    is_run = np.array([_RUN.fullmatch(t.text) is not None for t in transcripts], bool)
    is_doubtful = np.array([_is_doubtful(t) for t in transcripts], bool)
    is_word = ~(is_run | is_doubtful)
    usual = float(np.median(heights[is_word])) if is_word.any() else 0.0
    is_dots = np.array([usual > 0 and not t.text.strip(DOTS) for t in transcripts], bool)  # a bullet alone is none
    parts = np.flatnonzero(is_run | is_dots | (is_doubtful & (heights < _THIN * usual)))
    if not len(parts):
        return quads, list(transcripts), np.zeros(len(quads), bool)
    rows = boxes[parts]  # as high as words, so that their gaps count in heights of words
    rows[:, 1::2] = rows[:, 1::2].mean(axis=1, keepdims=True) + np.array([-0.5, 0.5]) * usual
    found = [parts[chain] for chain in chains(word_successors(rows))]
    leaders = [p for p in found if is_run[p].any() or np.ptp(boxes[p][:, 0::2]) > _LEAST_LENGTH * usual]
    others = np.setdiff1d(np.arange(len(quads)), np.concatenate([*leaders, np.zeros(0, int)]))
    hulls = np.array([[*boxes[p, :2].min(axis=0), *boxes[p, 2:].max(axis=0)] for p in leaders]).reshape(-1, 4)
    read = [transcripts[i] for i in others] + [_leader([transcripts[i] for i in p]) for p in leaders]
    is_leader = np.arange(len(read)) >= len(others)
    return np.concatenate([quads[others], box_quads(hulls)]), read, is_leader


def as_high_as_neighbors(boxes: np.ndarray, is_leader: np.ndarray) -> np.ndarray:
    """The boxes (N, 4), with leaders as high as the nearest word at their height, so that they are on its line."""
    fitted = boxes.copy()
    words = boxes[~is_leader]
    for i in np.flatnonzero(is_leader) if len(words) else ():
        x0, y0, x1, y1 = boxes[i]
        beside = words[(words[:, 1] < (y0 + y1) / 2) & (words[:, 3] > (y0 + y1) / 2)]
        if len(beside):
            gaps = np.maximum(beside[:, 0] - x1, x0 - beside[:, 2])
            fitted[i, 1::2] = beside[gaps.argmin(), 1::2]
    return fitted


def is_leader(text: str) -> bool:
    """Whether a word is a row of dots, which is no text."""
    return len(text) > 3 and text[0] in DOTS and not text.strip(DOTS)


def _is_doubtful(transcript: Transcript) -> bool:
    return own_confidence(transcript) < SURE or not transcript.text.strip(_MARKS)


def _leader(parts: Sequence[Transcript]) -> Transcript:
    """One word for the parts of a leader: of dots unless only one other mark was read; fine dots are read as any."""
    marks = "".join(filter(_MARKS.__contains__, "".join(t.text for t in parts)))
    mark = marks[0] if len(set(marks)) == 1 else max(filter(marks.count, DOTS), key=marks.count, default=".")
    return Transcript(
        mark * max(_LEAST_MARKS, len(marks)), mean_confidence(parts), network_confidence=network_confidence(parts)
    )
