"""Reads whole pages: finds words, turns the page upright, reads the words, and orders them into lines and text."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, starmap

import numpy as np

from ocr_models.bundle import Bundle, find_bundle
from ocr_models.detection.scales import LONG_SIDE_PX, SHORT_SIDE_PX
from ocr_models.detection.text_detector import TextDetector
from ocr_models.geometry import quad_sizes, transform_quads
from ocr_models.inference.engines import AUTO, choose_engine
from ocr_models.pages.found_page import FoundPage, ReadPage, find_page, text_slant
from ocr_models.pages.leader_marks import HAS_LEADER, part_at_leaders
from ocr_models.pages.line_pieces import cut_pieces, find_pieces
from ocr_models.pages.line_words import split_words
from ocr_models.pages.lone_letters import tell_by_height
from ocr_models.pages.page_text import assemble, part_words
from ocr_models.pages.readings import certain_characters, network_confidence, own_confidence, surer
from ocr_models.pages.turned_text import only_in_strips, take_turned_lines, turned_strips
from ocr_models.pages.word_crops import cut_words
from ocr_models.pages.word_finder import WordFinder, inside_of
from ocr_models.recognition.crops import INPUT_HEIGHT, WIDTH_BUCKETS
from ocr_models.recognition.text_recognizer import TextRecognizer
from ocr_models.records import MIN_CONFIDENCE, OcrPage, Transcript

_SAMPLE = 200  # words, the longest, that are read to choose between the turns of a page
# The detector underestimates large slants: it tells 0.8 degrees at 8, and 1.0 at 10, where its boxes are so loose that
# capitals aren't told: "jumps" is read as "Jumps". A page with some skew that is read with less than this confidence is
# looked at again if its lines of text have another slant.
_LEVEL_SURE = 0.98
# Turns are tried of a page that is read with less. Of the development pages, the worst is read with 0.88, on a receipt;
# upside down, they are read with 0.66 to 0.82.
_UPRIGHT_SURE = 0.85
_LEAST_SKEW_RAD, _MOST_SKEW_RAD = np.deg2rad(0.5), np.deg2rad(3.0)
# Another turn of a page, and a headline in place of what was found inside it, must have so many times more certain
# characters; a turn must have more than the least, too.
_LEAST_EVIDENCE, _MORE_EVIDENCE = 8, 1.5
# Thresholds of the network's own confidences, chosen on the evaluation pages of ``docs/model_card.md``.
_DOUBTFUL = 0.85  # a word with a lower confidence is read again ...
_CLOSER = 0.08  # ... from a box lower by this share at top and bottom: a box too tall makes capitals small


class PageReader:
    """Finds and reads all words of pages.

    Args:
        detector: finds words.
        recognizer: reads them.
        detector_id: names the detector in rows, such as "east-fast@0123456789ab".
        recognizer_id: names the recognizer in rows.
        min_confidence: words that the network reads with a lower confidence, before calibration, are left out of a
            page's text; they stay among its words.
        reads_lines: whether words are joined to pieces of lines, which are read whole and split at the spaces that the
            recognizer reads. It must have been trained on lines.
        engine: the name of what computes the models, for rows.
    """

    def __init__(
        self,
        detector: TextDetector,
        recognizer: TextRecognizer,
        detector_id: str,
        recognizer_id: str,
        min_confidence: float = MIN_CONFIDENCE,
        reads_lines: bool = False,
        engine: str = "",
    ) -> None:
        self._finder, self._recognizer = WordFinder(detector), recognizer
        self._min_confidence, self._reads_lines = min_confidence, reads_lines
        self.detector_id, self.recognizer_id, self.engine = detector_id, recognizer_id, engine

    @classmethod
    def load(
        cls,
        detector: str,
        recognizer: str,
        beam_width: int = 1,
        temperature: float | None = None,
        min_confidence: float = MIN_CONFIDENCE,
        reads_lines: bool | None = None,
        engine: str = AUTO,
        uses_lexicon: bool = True,
    ) -> PageReader:
        """Loads both models, by shipped name or folder, and runs them once, so that the first page isn't slow.

        On OpenVINO this changes nothing that a host program would notice; for TensorFlow see ``load_forward``.

        Args:
            detector: "east-fast", or a bundle's folder.
            recognizer: "crnn-fast", or a bundle's folder.
            beam_width: of the recognizer; 1 is greedy decoding.
            temperature: of the recognizer's confidences; the default is that of its bundle.
            min_confidence: see ``PageReader``.
            reads_lines: see ``PageReader``; the default is what the recognizer was trained for.
            engine: what computes the networks; see ``choose_engine``.
            uses_lexicon: whether the recognizer's lexicon, if it has one, decides between letters in doubt.

        Raises:
            UsageError: a bundle is missing, damaged or for another task, or can't be computed on the engine.
        """
        detection, recognition = find_bundle(detector, "detection"), find_bundle(recognizer, "recognition")
        reads_lines = recognition.reads_lines if reads_lines is None else reads_lines
        engines = [choose_engine(bundle, engine) for bundle in (detection, recognition)]
        with ThreadPoolExecutor(2) as threads:
            detector_loaded = threads.submit(_load_detector, detection, engines[0])
            recognizer_loaded = threads.submit(
                _load_recognizer, recognition, beam_width, temperature, engines[1], uses_lexicon
            )
        models = detector_loaded.result(), recognizer_loaded.result()
        names = "+".join(dict.fromkeys(engines))
        return cls(*models, detection.id, recognition.id, min_confidence, reads_lines, names)

    def read_pages(self, images: Sequence[np.ndarray]) -> list[OcrPage]:
        """Reads pages together, so that the recognizer's batches are full.

        Args:
            images: uint8 (H, W), gray.

        Returns:
            One result per page, with quads in pixels of the given image. It doesn't depend on the other pages, as far
            as ``TextRecognizer.read`` promises it for crops.
        """
        read = self._read([find_page(self._finder, image, 0) for image in images])
        for i, image in enumerate(images):
            confidence = network_confidence(read[i][1])
            if confidence < _UPRIGHT_SURE:
                read[i] = self._best_turn(image, *read[i])
            elif confidence < _LEVEL_SURE and abs(read[i][0].skew) > _LEAST_SKEW_RAD:
                slant = text_slant(image)
                if abs(slant - read[i][0].skew) > _MOST_SKEW_RAD:
                    read[i] = self._read([find_page(self._finder, image, 0, slant)])[0]
        parted = (
            [(page, tell_by_height(page.image, page.quads, words)) for page, words in starmap(part_words, parts)]
            for parts in map(self._with_turned_text, images, read)
        )
        return [assemble(parts, self._min_confidence) for parts in parted]

    def find_words(self, image: np.ndarray) -> np.ndarray:
        """Finds words without reading them; a page that lies on its side is therefore not turned.

        Large headlines are not among them: only reading tells them from their strokes.

        Args:
            image: uint8 (H, W), gray.

        Returns:
            Quads, float32 (N, 4, 2), in pixels of the given image.
        """
        found = find_page(self._finder, image, 0)
        return transform_quads(found.to_given, found.quads)

    def _read(self, pages: Sequence[FoundPage]) -> list[ReadPage]:
        """The pages, with the headlines that turned out to be words, and the transcripts of their words.

        All words are read at once; doubtful ones again, from closer boxes.
        """
        chosen = [
            _choose_headlines(*page) for page in (self._read_lines if self._reads_lines else self._read_words)(pages)
        ]
        doubtful = [[i for i, t in enumerate(read) if own_confidence(t) < _DOUBTFUL] for _, read in chosen]
        if any(doubtful):
            pages = [page for page, _ in chosen]
            closer = [_closer(page.quads[indices]) for page, indices in zip(pages, doubtful, strict=True)]
            for (_, read), indices, again in zip(chosen, doubtful, self._read_quads(pages, closer), strict=True):
                for i, transcript in zip(indices, again, strict=True):
                    read[i] = surer(read[i], transcript)
        return chosen

    def _read_words(self, pages: Sequence[FoundPage]) -> list[ReadPage]:
        """The pages as they are, with the transcripts of their words and then of their headlines."""
        quads = [np.concatenate([page.quads, page.headlines]) for page in pages]
        return list(zip(pages, self._read_quads(pages, quads), strict=True))

    def _read_lines(self, pages: Sequence[FoundPage]) -> list[ReadPage]:
        """The pages with the words that were read in pieces of their lines, and the transcripts as ``_read_words``."""
        found = [find_pieces(page.image, page.quads) for page in pages]
        pages = [replace(page, image=image) for page, (image, _) in zip(pages, found, strict=True)]
        pieces = [places for _, places in found]
        crops = [
            cut_pieces(page.image, np.concatenate([places, page.headlines]))
            for page, places in zip(pages, pieces, strict=True)
        ]
        transcripts = iter(self._recognizer.read([crop for of_page in crops for crop in of_page]))
        done = []
        for page, places, of_page in zip(pages, pieces, crops, strict=True):
            read = list(islice(transcripts, len(of_page)))
            count = len(places)  # headlines follow, and stay whole
            pieces_read = self._part_at_leaders(page.image, of_page[:count], places, read[:count])
            quads, words = split_words(*pieces_read, self._recognizer.part)
            done.append((replace(page, quads=quads), words + read[count:]))
        return done

    def _part_at_leaders(
        self, image: np.ndarray, crops: list[np.ndarray], quads: np.ndarray, read: list[Transcript]
    ) -> tuple[list[np.ndarray], np.ndarray, list[Transcript]]:
        """The crops, quads and transcripts of pieces, parted at leaders; the words beside these are read alone."""
        parted = {
            i: found
            for i, transcript in enumerate(read)
            if HAS_LEADER.search(transcript.text) and (found := part_at_leaders(crops[i], quads[i], transcript))[1]
        }
        if not parted:
            return crops, quads, read
        others = [i for i in range(len(read)) if i not in parted]
        places = np.concatenate([of_piece for of_piece, _ in parted.values()])
        cut = cut_pieces(image, places)
        parts = [transcript for _, of_piece in parted.values() for transcript in of_piece]
        again = iter(self._recognizer.read([crop for crop, part in zip(cut, parts, strict=True) if part is None]))
        transcripts = [read[i] for i in others] + [next(again) if part is None else part for part in parts]
        return [crops[i] for i in others] + cut, np.concatenate([quads[others], places]), transcripts

    def _read_quads(self, pages: Sequence[FoundPage], quads: Sequence[np.ndarray]) -> list[list[Transcript]]:
        crops = [cut_words(page.image, of_page) for page, of_page in zip(pages, quads, strict=True)]
        transcripts = iter(self._recognizer.read([crop for of_page in crops for crop in of_page]))
        return [[next(transcripts) for _ in of_page] for of_page in crops]

    def _best_turn(self, image: np.ndarray, found: FoundPage, transcripts: list[Transcript]) -> ReadPage:
        """The page in the turn in which most of it is read with confidence; as it is unless another has far more."""
        slant = text_slant(image)
        turns = [(turn, 0.0) for turn in (1, 2, 3) if len(found.quads)]
        turns += [(turn, slant) for turn in range(4) if abs(slant) > _MOST_SKEW_RAD]
        best, most = found, max(_LEAST_EVIDENCE, _MORE_EVIDENCE * self._count_read(found))
        for turn in turns:
            candidate = find_page(self._finder, image, *turn)
            count = self._count_read(candidate)
            if count > most:
                best, most = candidate, count
        return (found, transcripts) if best is found else self._read([best])[0]

    def _with_turned_text(self, image: np.ndarray, read: ReadPage) -> list[ReadPage]:
        """A page and the text beside its own that stands at right angles to it, such as notes on a margin."""
        strips = turned_strips(*read)
        if not len(strips):
            return [read]
        page = read[0]
        slant = page.skew if abs(page.skew) > _MOST_SKEW_RAD else 0.0
        turns = [(page.rotation_deg // 90 + turn) % 4 for turn in (1, 3)]
        turned = [only_in_strips(find_page(self._finder, image, turn, slant), page, strips) for turn in turns]
        return take_turned_lines(read, self._read(turned))

    def _count_read(self, page: FoundPage) -> int:
        """How many characters are read with confidence in the longest words of a page."""
        longest = np.argsort(-quad_sizes(page.quads)[:, 0], kind="stable")[:_SAMPLE]
        return sum(map(certain_characters, self._recognizer.read(cut_words(page.image, page.quads[longest]))))


def _load_detector(bundle: Bundle, engine: str) -> TextDetector:
    detector = TextDetector.load(bundle, engine)
    detector.detect_at(np.full((LONG_SIDE_PX, SHORT_SIDE_PX), 255, np.uint8), 1.0)
    return detector


def _load_recognizer(
    bundle: Bundle, beam_width: int, temperature: float | None, engine: str, uses_lexicon: bool
) -> TextRecognizer:
    recognizer = TextRecognizer.load(bundle, beam_width, temperature, engine, uses_lexicon)
    recognizer.read([np.full((INPUT_HEIGHT, WIDTH_BUCKETS[0]), 255, np.uint8)])
    return recognizer


def _choose_headlines(page: FoundPage, transcripts: Sequence[Transcript]) -> tuple[FoundPage, list[Transcript]]:
    """Takes as words the headlines that were read with far more certain characters than what was found in them."""
    words = len(page.quads)
    kept = np.ones(len(transcripts), bool)
    counts = np.array([certain_characters(t) for t in transcripts], int)
    for i, headline in enumerate(page.headlines, start=words):
        inside = np.flatnonzero(kept[:words] & inside_of(headline, page.quads))
        kept[i] = counts[i] > _MORE_EVIDENCE * counts[inside].sum()
        kept[inside] &= not kept[i]
    quads = np.concatenate([page.quads, page.headlines])[kept]
    return replace(page, quads=quads), [t for t, is_kept in zip(transcripts, kept, strict=True) if is_kept]


def _closer(quads: np.ndarray) -> np.ndarray:
    """The quads (N, 4, 2) with their top and bottom edges moved inward."""
    return quads + _CLOSER * (quads[:, [3, 2, 1, 0]] - quads)
