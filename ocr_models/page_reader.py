"""Whole pages read: words found, turned upright, read, and put into lines and reading order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ocr_models.bundle import find_bundle
from ocr_models.detection.decode import MAX_WORDS
from ocr_models.geometry import (
    box_quads,
    invert_affine,
    quad_angles,
    quad_boxes,
    quad_sizes,
    quarter_turn_matrix,
    transform_quads,
)
from ocr_models.ink import fit_words
from ocr_models.layout import order_words
from ocr_models.predictors import TextDetector, TextRecognizer, limit_threads
from ocr_models.recognition.crops import MARGIN_X, MARGIN_Y
from ocr_models.records import OcrPage, TextLine, Transcript, Word

# The detector is trained on pages at about 100 dpi: letter and A4 pages have a long side of 1100 to 1170 pixels there.
_LONG_SIDE_PX, _SHORT_SIDE_PX = 1130, 800
_STRIP_RATIO = 4.0  # a longer picture, like a receipt's roll, is seen by its short side
_MAX_SEEN_PX = 3400 * 2600  # pixels that the detector looks at in one go, of a strip as of a page
# Text heights, seen by the detector, between which one look is enough, and where a second look aims at.
_MIN_TEXT_PX, _MAX_TEXT_PX, _GOOD_TEXT_PX = 8.5, 40.0, 14.0
_LEVEL_RAD = np.deg2rad(0.25)  # less skew than this leaves crops as they are
_LEVEL_WORD_RAD = np.deg2rad(2.0)  # a word may differ so much from the page's skew and still be cut level
_SURE = 0.75  # a page read with this mean confidence needs no other turn
_SAMPLE = 24  # words that are read to choose between the turns of a page
_MIN_WORD_CONFIDENCE = 0.5  # less is nearly always a picture's texture or a word read wrong


@dataclass(frozen=True)
class _FoundPage:
    """Words found on a page that was turned and leveled.

    Attributes:
        image: uint8 (H, W), gray: the page as it is cut.
        quads: float32 (N, 4, 2), pixels of ``image``.
        to_given: affine (2, 3) from pixels of ``image`` to pixels of the page as given.
        rotation_deg: how far the given page's content is turned clockwise from upright.
    """

    image: np.ndarray
    quads: np.ndarray
    to_given: np.ndarray
    rotation_deg: int


class PageReader:
    """Finds and reads all words of pages.

    Args:
        detector: finds words.
        recognizer: reads them.
        detector_id: names the detector in rows, "east-fast@0123456789ab".
        recognizer_id: likewise.
    """

    def __init__(self, detector: TextDetector, recognizer: TextRecognizer, detector_id: str, recognizer_id: str):
        self._detector, self._recognizer = detector, recognizer
        self.detector_id, self.recognizer_id = detector_id, recognizer_id

    @classmethod
    def load(cls, detector: str, recognizer: str, beam_width: int = 1) -> PageReader:
        """Loads models by shipped name or folder, and runs the detector once, so that the first page isn't slow.

        Args:
            detector: "east-fast", or a bundle's folder.
            recognizer: "crnn-light", or a bundle's folder.
            beam_width: of the recognizer's decoding; 1 is greedy.

        Raises:
            UsageError: a bundle is missing, damaged or for another task.
        """
        detection, recognition = find_bundle(detector, "detection"), find_bundle(recognizer, "recognition")
        limit_threads(os.cpu_count() or 1)
        reader = cls(
            TextDetector.load(detection), TextRecognizer.load(recognition, beam_width), detection.id, recognition.id
        )
        reader.read_pages([np.full((_LONG_SIDE_PX, _SHORT_SIDE_PX), 255, np.uint8)])
        return reader

    def read_pages(self, images: Sequence[np.ndarray]) -> list[OcrPage]:
        """Reads pages together, so that the recognizer's batches are full.

        Args:
            images: uint8 (H, W), gray.

        Returns:
            One result a page, with quads in pixels of the image given. It doesn't depend on the other pages.
        """
        found = [self._find(image, 0) for image in images]
        transcripts = self._read(found)
        for i, image in enumerate(images):
            if _mean_confidence(transcripts[i]) < _SURE and len(found[i].quads):
                turned = self._better_turn(image, found[i])
                if turned is not found[i]:
                    found[i], transcripts[i] = turned, self._read([turned])[0]
        return [_assemble(page, read) for page, read in zip(found, transcripts, strict=True)]

    def _read(self, pages: Sequence[_FoundPage]) -> list[list[Transcript]]:
        """Reads the words of all pages in one go, and hands them back by page."""
        crops = [_cut_words(page.image, page.quads) for page in pages]
        transcripts = iter(self._recognizer.read([crop for of_page in crops for crop in of_page]))
        return [[next(transcripts) for _ in of_page] for of_page in crops]

    def _find(self, image: np.ndarray, turns: int) -> _FoundPage:
        """Finds words on a page after so many counterclockwise quarter turns, and takes their common skew out."""
        upright = np.ascontiguousarray(np.rot90(image, turns))
        quads = self._detect(upright)
        to_given = invert_affine(quarter_turn_matrix(turns, *image.shape))
        skew = _skew(quads)
        if abs(skew) > _LEVEL_RAD:
            level, size = _leveling(skew, *upright.shape)
            upright = cv2.warpAffine(upright, level, size, borderMode=cv2.BORDER_REPLICATE)
            quads = transform_quads(level, quads)
            to_given = _compose(to_given, invert_affine(level))
        quads = _fit_level_words(upright, quads)
        return _FoundPage(upright, quads, to_given, 90 * turns)

    def _detect(self, image: np.ndarray) -> np.ndarray:
        """Quads (N, 4, 2) of the words; a page whose text is very small or very large is looked at once more."""
        largest = float(np.sqrt(_MAX_SEEN_PX / image.size))
        short_side, long_side = sorted(image.shape)
        is_strip = long_side > _STRIP_RATIO * short_side
        scale = min(1.0, _SHORT_SIDE_PX / short_side if is_strip else _LONG_SIDE_PX / long_side, largest)
        quads = self._quads(image, scale)
        seen = float(np.median(quad_sizes(quads)[:, 1])) * scale if len(quads) else 0.0
        if seen and not _MIN_TEXT_PX <= seen <= _MAX_TEXT_PX:
            better = min(scale * _GOOD_TEXT_PX / seen, 2.0, largest)
            if abs(np.log(better / scale)) > 0.1:
                return self._quads(image, better)
        return quads

    def _quads(self, image: np.ndarray, scale: float) -> np.ndarray:
        boxes = self._detector.detect_at(image, scale)
        return np.array([box.quad for box in boxes], np.float32).reshape(-1, 4, 2)

    def _better_turn(self, image: np.ndarray, upright: _FoundPage) -> _FoundPage:
        """The turn of the page whose longest words are read with the most confidence; the given one if in doubt."""
        best, best_confidence = upright, self._sample_confidence(upright) + 0.1
        for turns in (1, 2, 3):
            candidate = self._find(image, turns)
            confidence = self._sample_confidence(candidate)
            if confidence > best_confidence:
                best, best_confidence = candidate, confidence
        return best

    def _sample_confidence(self, page: _FoundPage) -> float:
        sizes = quad_sizes(page.quads)
        longest = np.argsort(-sizes[:, 0] / np.maximum(sizes[:, 1], 1))[:_SAMPLE]
        return _mean_confidence(self._recognizer.read(_cut_words(page.image, page.quads[longest])))


def _fit_level_words(image: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Fits the words that lie level to their ink; the others stay as they are."""
    is_level = np.abs(quad_angles(quads)) < _LEVEL_WORD_RAD
    fitted = fit_words(image, quad_boxes(quads[is_level]))
    return np.concatenate([box_quads(fitted), quads[~is_level]])


def _skew(quads: np.ndarray) -> float:
    """The page's skew in radians, positive clockwise: the median angle of its words, the longer half of them."""
    if len(quads) < 3:
        return 0.0
    lengths = quad_sizes(quads)[:, 0]
    return float(np.median(quad_angles(quads)[lengths >= np.median(lengths)]))


def _leveling(skew: float, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The affine matrix (2, 3) that takes the skew out of a page, and the size (width, height) that holds all of it."""
    cos, sin = abs(np.cos(skew)), abs(np.sin(skew))
    # Grown by whole pixels on every side, so that what is in the middle is sampled where it was.
    margin_x = max(0, int(np.ceil((cos * width + sin * height - width) / 2)))
    margin_y = max(0, int(np.ceil((cos * height + sin * width - height) / 2)))
    level = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.rad2deg(skew)), 1.0)
    level[:, 2] += margin_x, margin_y
    return level, (width + 2 * margin_x, height + 2 * margin_y)


def _compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine matrix (2, 3) that applies ``inner`` first."""
    return outer @ np.vstack([inner, [0, 0, 1]])


def _cut_words(image: np.ndarray, quads: np.ndarray) -> list[np.ndarray]:
    """Crops of the words with the recognizer's margins: slices of the leveled page, warped where a word is skew."""
    angles, sizes = quad_angles(quads), quad_sizes(quads)
    centers = quads.mean(axis=1)
    half = sizes / 2 + sizes[:, 1:] * np.array([MARGIN_X, MARGIN_Y])
    corners = np.round(np.concatenate([centers - half, centers + half], axis=1)).astype(int)
    height, width = image.shape
    low = np.clip(corners[:, :2], 0, [width - 1, height - 1])
    high = np.maximum(np.clip(corners[:, 2:], 0, [width, height]), low + 1)
    return [
        image[y0:y1, x0:x1]
        if abs(angles[i]) < _LEVEL_WORD_RAD
        else _warp_word(image, centers[i], half[i], float(angles[i]))
        for i, ((x0, y0), (x1, y1)) in enumerate(zip(low.tolist(), high.tolist(), strict=True))
    ]


def _warp_word(image: np.ndarray, center: np.ndarray, half: np.ndarray, angle: float) -> np.ndarray:
    """A skew word turned level: its center, half of its width and height in pixels, its angle in radians."""
    width, height = (max(1, round(2 * side)) for side in half)
    # Quads count from the pixels' corners, OpenCV from their centers.
    pivot = (float(center[0]) - 0.5, float(center[1]) - 0.5)
    matrix = cv2.getRotationMatrix2D(pivot, float(np.rad2deg(angle)), 1.0)
    matrix[:, 2] += half - center
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _mean_confidence(items: Sequence[Transcript | Word]) -> float:
    """The mean over characters, so that long words count for more; 0 where nothing was read."""
    chars = sum(len(item.text) for item in items)
    return sum(item.confidence * len(item.text) for item in items) / chars if chars else 0.0


def _assemble(page: _FoundPage, transcripts: Sequence[Transcript]) -> OcrPage:
    """Lines, reading order and text of a page that was read."""
    kept = [i for i, t in enumerate(transcripts) if t.text and t.confidence >= _MIN_WORD_CONFIDENCE]
    if len(kept) > MAX_WORDS:  # the detector finds no more, but fitting to the ink may part a texture's boxes
        kept = sorted(sorted(kept, key=lambda i: -transcripts[i].confidence)[:MAX_WORDS])
    quads = page.quads[kept]
    layout = order_words(quad_boxes(quads))
    given = transform_quads(page.to_given, quads)
    words: list[Word] = []
    lines: list[TextLine] = []
    text: list[str] = []
    for indices, starts_block in zip(layout.lines, layout.starts_block, strict=True):
        read = [transcripts[kept[i]] for i in indices]
        line_text = " ".join(t.text for t in read)
        words += [Word(t.text, t.confidence, given[i], len(lines)) for t, i in zip(read, indices, strict=True)]
        boxes = quad_boxes(quads[indices])
        hull = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])  # level, as the page is
        line_quad = transform_quads(page.to_given, box_quads(hull[None]))[0]
        lines.append(TextLine(line_text, line_quad, _mean_confidence(read)))
        text += ["", line_text] if starts_block and text else [line_text]
    page_text = "".join(f"{line}\n" for line in text)
    return OcrPage(page_text, tuple(words), tuple(lines), page.rotation_deg, _mean_confidence(words))
