"""Finds leaders in pieces of lines by their pixels: dots so fine and many that they spoil the reading of the words."""

from __future__ import annotations

import re

import cv2
import numpy as np

from ocr_models.geometry import runs_of
from ocr_models.pages.leaders import DOTS
from ocr_models.pages.page_text import quad_parts
from ocr_models.records import Transcript

HAS_LEADER = re.compile(rf"[{DOTS}]{{4,}}")  # of what was read in a piece: a look at its pixels is worth while
# Lengths are in heights of the crop.
_FLAT = 0.25  # columns of a leader have ink within so many rows; the strokes of nearly all letters are taller
_LEVEL = 0.08  # the feet of its marks differ by less; that of a comma is lower
_LEAST_MARKS = 8  # a shorter one does no harm to what is read beside it
_CONTRAST = 0.4  # share of the range from paper to the darkest ink by which ink differs from paper


def part_at_leaders(crop: np.ndarray, quad: np.ndarray, read: Transcript) -> tuple[np.ndarray, list[Transcript | None]]:
    """Parts a piece of a line at its leaders.

    Args:
        crop: uint8 (h, w), gray, dark on light, in which the piece was read.
        quad: float32 (4, 2), of the piece, pixels of the page.
        read: what was read in it.

    Returns:
        The quads of its leaders and of what is between and beside them, float32 (K, 4, 2), from left to right, and as
        many transcripts: None for what has to be read alone. No quads if the piece has no leaders.
    """
    width = crop.shape[1]
    columns: list[tuple[int, int]] = []
    parts: list[Transcript | None] = []
    end = 0
    leaders = _leaders(crop)
    for flat, marks in leaders:
        if flat[0] > end:
            columns.append((end, flat[0]))
            parts.append(None)
        columns.append((marks[0, 0], marks[-1, 1]))
        parts.append(Transcript("." * len(marks), read.confidence, network_confidence=read.network_confidence))
        end = flat[1]
    if leaders and end < width:
        columns.append((end, width))
        parts.append(None)
    shares = [(start / width, stop / width) for start, stop in columns]
    return quad_parts(np.repeat(quad[None], len(parts), axis=0), shares), parts


def _leaders(crop: np.ndarray) -> list[tuple[list[int], np.ndarray]]:
    """The runs of columns without letters that hold leaders, [start, stop], and their marks: int (M, 2), likewise."""
    height = len(crop)
    low, paper = float(crop.min()), float(np.median(crop[[0, -1]]))
    ink = cv2.medianBlur(crop, 3) < paper - _CONTRAST * (paper - low)
    rows = np.arange(height)[:, None]
    top = np.where(ink, rows, height).min(axis=0)
    bottom = np.where(ink, rows, -1).max(axis=0)
    found = []
    for start, stop in runs_of(bottom - top < _FLAT * height).tolist():
        marks = start + runs_of(bottom[start:stop] >= 0)
        feet = np.array([bottom[a:b].max() for a, b in marks.tolist()])
        dots = np.flatnonzero(np.abs(feet - np.median(feet)) < _LEVEL * height) if len(marks) else marks
        if len(dots) >= _LEAST_MARKS:
            first, last = int(dots[0]), int(dots[-1])  # a comma before them isn't one
            start = int(marks[first - 1, 1]) if first else start
            stop = int(marks[last + 1, 0]) if last + 1 < len(marks) else stop
            found.append(([start, stop], marks[dots]))
    return found
