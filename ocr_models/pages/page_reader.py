"""Reads whole pages: finds words, turns the page upright, reads the words, and orders them into lines and text."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ocr_models.bundle import Bundle, find_bundle
from ocr_models.detection.scales import LONG_SIDE_PX, SHORT_SIDE_PX
from ocr_models.detection.text_detector import TextDetector
from ocr_models.geometry import (
    box_quads,
    invert_affine,
    quad_angles,
    quad_boxes,
    quad_sizes,
    quarter_turn_matrix,
    run_boxes,
    transform_quads,
)
from ocr_models.inference.threads import limit_threads
from ocr_models.pages.box_refinement import fit_words
from ocr_models.pages.layout import order_words
from ocr_models.pages.unknown_script import find_unknown_script
from ocr_models.pages.word_crops import LEVEL_WORD_RAD, cut_words, level_page
from ocr_models.pages.word_finder import WordFinder, inside_of
from ocr_models.recognition.crops import INPUT_HEIGHT, MARGIN_X, WIDTH_BUCKETS
from ocr_models.recognition.text_recognizer import TextRecognizer
from ocr_models.records import MIN_CONFIDENCE, OcrPage, TextLine, Transcript, Word

_SAMPLE = 200  # words, the longest, that are read to choose between the turns of a page
_MAX_WORDS = 20_000  # of a page are kept, the most certain; a newspaper page has some thousands, an index sheet 15,000
# Another turn of a page, and a headline in place of what was found inside it, must have so many times more certain
# characters; a turn must have more than the least, too.
_LEAST_EVIDENCE, _MORE_EVIDENCE = 8, 1.5
# These thresholds of the network's own confidences were chosen on the evaluation pages of ``docs/model_card.md``.
_SURE = 0.75  # other turns of a page are tried if its mean confidence is lower
_DOUBTFUL = 0.85  # a word with a lower confidence is read again ...
_CLOSER = 0.08  # ... from a box lower by this share at top and bottom: a box too tall makes capitals small


@dataclass(frozen=True)
class _FoundPage:
    """The words found on a page that has been turned and leveled.

    Attributes:
        image: uint8 (H, W), gray: the turned and leveled page, from which words are cut.
        quads: float32 (N, 4, 2), pixels of ``image``.
        headlines: float32 (M, 4, 2), see ``FoundWords``.
        to_given: affine (2, 3) from pixels of ``image`` to pixels of the page as given.
        rotation_deg: clockwise rotation of the content of the given page: 0, 90, 180 or 270.
    """

    image: np.ndarray
    quads: np.ndarray
    headlines: np.ndarray
    to_given: np.ndarray
    rotation_deg: int


class PageReader:
    """Finds and reads all words of pages.

    Args:
        detector: finds words.
        recognizer: reads them.
        detector_id: names the detector in rows, such as "east-fast@0123456789ab".
        recognizer_id: names the recognizer in rows.
        min_confidence: words that the network reads with a lower confidence, before calibration, are left out of a
            page's text; they stay among its words.
    """

    def __init__(
        self,
        detector: TextDetector,
        recognizer: TextRecognizer,
        detector_id: str,
        recognizer_id: str,
        min_confidence: float = MIN_CONFIDENCE,
    ) -> None:
        self._finder, self._recognizer = WordFinder(detector), recognizer
        self._min_confidence = min_confidence
        self.detector_id, self.recognizer_id = detector_id, recognizer_id

    @classmethod
    def load(
        cls,
        detector: str,
        recognizer: str,
        beam_width: int = 1,
        temperature: float | None = None,
        min_confidence: float = MIN_CONFIDENCE,
    ) -> PageReader:
        """Loads both models, by shipped name or folder, and runs them once, so that the first page isn't slow.

        On TensorFlow this makes two settings for the whole process, because TensorFlow knows no narrower scope:

        - One thread per operation, and up to one operation per processor core at once, unless TensorFlow has computed
          before. With several threads per operation, the confidences of a word would depend on its batch.
        - Convolutions and matrix products in bfloat16, on processors that have it: twice as fast.

        Nothing else that a host program would notice is changed.

        Args:
            detector: "east-fast", or a bundle's folder.
            recognizer: "crnn-fast", or a bundle's folder.
            beam_width: of the recognizer; 1 is greedy decoding.
            temperature: of the recognizer's confidences; the default is that of its bundle.
            min_confidence: see ``PageReader``.

        Raises:
            UsageError: a bundle is missing, damaged or for another task.
        """
        detection, recognition = find_bundle(detector, "detection"), find_bundle(recognizer, "recognition")
        limit_threads(os.cpu_count() or 1)
        with ThreadPoolExecutor(2) as threads:  # one is built in Python while TensorFlow compiles the other
            detector_loaded = threads.submit(_load_detector, detection)
            recognizer_loaded = threads.submit(_load_recognizer, recognition, beam_width, temperature)
        return cls(detector_loaded.result(), recognizer_loaded.result(), detection.id, recognition.id, min_confidence)

    def read_pages(self, images: Sequence[np.ndarray]) -> list[OcrPage]:
        """Reads pages together, so that the recognizer's batches are full.

        Args:
            images: uint8 (H, W), gray.

        Returns:
            One result per page, with quads in pixels of the given image. It doesn't depend on the other pages, as far
            as ``TextRecognizer.read`` promises it for crops.
        """
        found, transcripts = self._read([self._find(image, 0) for image in images])
        for i, image in enumerate(images):
            if _network_confidence(transcripts[i]) < _SURE and len(found[i].quads):
                turned = self._better_turn(image, found[i])
                if turned is not found[i]:
                    ((found[i],), (transcripts[i],)) = self._read([turned])
        parted = (_part_at_spaces(page, read) for page, read in zip(found, transcripts, strict=True))
        return [_assemble(page, read, self._min_confidence) for page, read in parted]

    def find_words(self, image: np.ndarray) -> np.ndarray:
        """Finds words without reading them; a page that lies on its side is therefore not turned.

        Large headlines are not among them: only reading tells them from their strokes.

        Args:
            image: uint8 (H, W), gray.

        Returns:
            Quads, float32 (N, 4, 2), in pixels of the given image.
        """
        found = self._find(image, 0)
        return transform_quads(found.to_given, found.quads)

    def _read(self, pages: Sequence[_FoundPage]) -> tuple[list[_FoundPage], list[list[Transcript]]]:
        """Transcripts of the words of each page, and the pages with the headlines that turned out to be words.

        All words are read at once; doubtful ones again, from closer boxes.
        """
        read_with_headlines = self._read_quads(pages, [np.concatenate([page.quads, page.headlines]) for page in pages])
        chosen = list(map(_choose_headlines, pages, read_with_headlines))
        pages, transcripts = [page for page, _ in chosen], [read for _, read in chosen]
        doubtful = [[i for i, t in enumerate(read) if _own_confidence(t) < _DOUBTFUL] for read in transcripts]
        if any(doubtful):
            closer = [_closer(page.quads[indices]) for page, indices in zip(pages, doubtful, strict=True)]
            for read, indices, again in zip(transcripts, doubtful, self._read_quads(pages, closer), strict=True):
                for i, transcript in zip(indices, again, strict=True):
                    read[i] = _surer(read[i], transcript)
        return pages, transcripts

    def _read_quads(self, pages: Sequence[_FoundPage], quads: Sequence[np.ndarray]) -> list[list[Transcript]]:
        crops = [cut_words(page.image, of_page) for page, of_page in zip(pages, quads, strict=True)]
        transcripts = iter(self._recognizer.read([crop for of_page in crops for crop in of_page]))
        return [[next(transcripts) for _ in of_page] for of_page in crops]

    def _find(self, image: np.ndarray, turns: int) -> _FoundPage:
        """Finds words on a page after ``turns`` counterclockwise quarter turns, and removes their common skew."""
        upright = np.ascontiguousarray(np.rot90(image, turns))
        quads, headlines = self._finder.find(upright)
        to_given = invert_affine(quarter_turn_matrix(turns, *image.shape))
        upright, quads, level = level_page(upright, quads)
        to_given = _compose(to_given, invert_affine(level))
        headlines = transform_quads(level, headlines)
        return _FoundPage(upright, _fit_level_words(upright, quads), headlines, to_given, 90 * turns)

    def _better_turn(self, image: np.ndarray, upright: _FoundPage) -> _FoundPage:
        """The turn of the page on which most text is read with confidence; ``upright`` unless another has far more."""
        best, most = upright, max(_LEAST_EVIDENCE, _MORE_EVIDENCE * self._count_read(upright))
        for turns in (1, 2, 3):
            candidate = self._find(image, turns)
            count = self._count_read(candidate)
            if count > most:
                best, most = candidate, count
        return best

    def _count_read(self, page: _FoundPage) -> int:
        """How many characters are read with confidence in the longest words of a page."""
        longest = np.argsort(-quad_sizes(page.quads)[:, 0], kind="stable")[:_SAMPLE]
        return sum(map(_certain_characters, self._recognizer.read(cut_words(page.image, page.quads[longest]))))


def _load_detector(bundle: Bundle) -> TextDetector:
    detector = TextDetector.load(bundle)
    detector.detect_at(np.full((LONG_SIDE_PX, SHORT_SIDE_PX), 255, np.uint8), 1.0)
    return detector


def _load_recognizer(bundle: Bundle, beam_width: int, temperature: float | None) -> TextRecognizer:
    recognizer = TextRecognizer.load(bundle, beam_width, temperature)
    recognizer.read([np.full((INPUT_HEIGHT, WIDTH_BUCKETS[0]), 255, np.uint8)])
    return recognizer


def _choose_headlines(page: _FoundPage, transcripts: Sequence[Transcript]) -> tuple[_FoundPage, list[Transcript]]:
    """Takes as words the headlines that were read with far more certain characters than what was found in them."""
    words = len(page.quads)
    kept = np.ones(len(transcripts), bool)
    counts = np.array([_certain_characters(t) for t in transcripts], int)
    for i, headline in enumerate(page.headlines, start=words):
        inside = np.flatnonzero(kept[:words] & inside_of(headline, page.quads))
        kept[i] = counts[i] > _MORE_EVIDENCE * counts[inside].sum()
        kept[inside] &= not kept[i]
    quads = np.concatenate([page.quads, page.headlines])[kept]
    return replace(page, quads=quads), [t for t, is_kept in zip(transcripts, kept, strict=True) if is_kept]


def _certain_characters(transcript: Transcript) -> int:
    """The characters of a word that was read with confidence; 0 for marks, dots and single characters."""
    text = transcript.text
    is_certain = _own_confidence(transcript) >= _SURE and len(text) > 1 and any(map(str.isalnum, text))
    return len(text) if is_certain else 0


def _closer(quads: np.ndarray) -> np.ndarray:
    """The quads (N, 4, 2) with their top and bottom edges moved inward."""
    return quads + _CLOSER * (quads[:, [3, 2, 1, 0]] - quads)


def _fit_level_words(image: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Fits level words to their ink; the others stay as they are."""
    is_level = np.abs(quad_angles(quads)) < LEVEL_WORD_RAD
    fitted = fit_words(image, quad_boxes(quads[is_level]))
    return np.concatenate([box_quads(fitted), quads[~is_level]])


def _compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine matrix (2, 3) that applies ``inner``, then ``outer``."""
    return outer @ np.vstack([inner, [0, 0, 1]])


def _mean_confidence(items: Sequence[Transcript | Word]) -> float:
    return _mean_over_chars([(item.confidence, len(item.text)) for item in items])


def _surer(first: Transcript, second: Transcript) -> Transcript:
    """The more confident of two readings of a word, with the mean of their confidences."""
    return replace(
        max(first, second, key=_own_confidence),
        confidence=(first.confidence + second.confidence) / 2,
        network_confidence=(_own_confidence(first) + _own_confidence(second)) / 2,
    )


def _network_confidence(transcripts: Sequence[Transcript]) -> float:
    """The mean of the network's own confidences, to which the thresholds above apply whatever the temperature."""
    return _mean_over_chars([(_own_confidence(t), len(t.text)) for t in transcripts])


def _mean_over_chars(confidences: Sequence[tuple[float, int]]) -> float:
    """The mean of confidences weighted by the lengths of the words; 0 if nothing was read."""
    chars = sum(length for _, length in confidences)
    return sum(confidence * length for confidence, length in confidences) / chars if chars else 0.0


def _own_confidence(transcript: Transcript) -> float:
    own = transcript.network_confidence
    return transcript.confidence if own is None else own


def _part_at_spaces(page: _FoundPage, transcripts: Sequence[Transcript]) -> tuple[_FoundPage, list[Transcript]]:
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


def _assemble(page: _FoundPage, transcripts: Sequence[Transcript], min_confidence: float) -> OcrPage:
    """Puts the words of a page into lines and reading order, and makes its text."""
    kept = [i for i, t in enumerate(transcripts) if t.text]
    is_complete = len(kept) <= _MAX_WORDS
    if not is_complete:
        kept = sorted(sorted(kept, key=lambda i: -_own_confidence(transcripts[i]))[:_MAX_WORDS])
    if not kept:
        return OcrPage("", (), (), page.rotation_deg, 0.0)
    boxes = quad_boxes(page.quads[kept])
    layout = order_words(boxes)  # of all words: one that is left out of the text still holds its line together
    # From here on words stand in reading order.
    order = np.concatenate(layout.lines)
    read = [transcripts[kept[i]] for i in order.tolist()]
    is_unknown = find_unknown_script(read)
    quads = transform_quads(page.to_given, page.quads[kept][order])
    stops = np.cumsum([len(line) for line in layout.lines]).tolist()
    starts = [0, *stops[:-1]]
    hulls = run_boxes(boxes[order], np.array(starts))  # level, as the page is
    line_quads = transform_quads(page.to_given, box_quads(hulls))
    words: list[Word] = []
    lines: list[TextLine] = []
    for line, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        of_line = [_to_word(read[i], quads[i], line, is_unknown[i], min_confidence) for i in range(start, stop)]
        words += of_line
        text = " ".join(word.text for word in of_line if word.in_text)
        lines.append(TextLine(text, line_quads[line], _mean_confidence(of_line)))
    text = _page_text([line.text for line in lines], layout.starts_block)
    unknown_share = _mean_over_chars(
        [(is_word_unknown, len(t.text)) for is_word_unknown, t in zip(is_unknown, read, strict=True)]
    )
    return OcrPage(
        text, tuple(words), tuple(lines), page.rotation_deg, _mean_confidence(words), is_complete, unknown_share
    )


def _to_word(read: Transcript, quad: np.ndarray, line: int, is_unknown: bool, min_confidence: float) -> Word:
    """A word of a page; what was read in an unknown script is not right, however sure the network is."""
    in_text = not is_unknown and _own_confidence(read) >= min_confidence
    return Word(read.text, 0.0 if is_unknown else read.confidence, quad, line, in_text)


def _page_text(lines: Sequence[str], starts_block: Sequence[bool]) -> str:
    """The lines that aren't empty, each with a newline, and an empty line before each block but the first."""
    text, is_new_block = "", False
    for line, starts in zip(lines, starts_block, strict=True):
        is_new_block |= starts
        if line:
            text += ("\n" if is_new_block and text else "") + f"{line}\n"
            is_new_block = False
    return text
