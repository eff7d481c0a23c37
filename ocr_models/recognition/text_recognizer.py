"""CRNN and the attention recognizer in use: text from word crops of any size."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from ocr_models.bundle import Bundle
from ocr_models.charset import Charset
from ocr_models.errors import UsageError
from ocr_models.inference.engines import AUTO, OPENVINO, Forward, choose_engine, load_forward, use_keras
from ocr_models.lexicon import Lexicon
from ocr_models.limits import check_reading_time
from ocr_models.metrics.calibration import apply_temperature
from ocr_models.recognition.crops import (
    COLUMNS_AT_ONCE,
    WIDTH_STRIDE,
    bucket_of,
    logit_length,
    pad_crops,
    resize_crop,
)
from ocr_models.recognition.ctc import greedy_decode, log_softmax, prefix_beam_decode
from ocr_models.recognition.respelling import Reading, respell
from ocr_models.records import Transcript

READ_BATCH = 128  # at most; the small steps of the LSTMs cost nearly as much for 16 crops as for 128
# Engines prepare for each new shape and keep what they prepared, so that few sizes cost less time and memory.
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, READ_BATCH)
FEW_SIZES = (16, 32, 64, READ_BATCH)  # where each is compiled for seconds
# Of OpenVINO: each shape takes 2 MB of kernels for each core, and a column 1.3 microseconds in any batch of 4,000 or
# more, but memory for its first maps.
_LIGHT_SIZES, _LIGHT_COLUMNS = (1, 3, 8, 24), 16 * 1024
_MOST_FILLING = 1.2  # a batch is at most so many times as large as the crops in it, if sizes allow
_LEAST_CONFIDENCE = 1e-6  # of a character that counts


# From crops (B, 32, W, 1) and their logit lengths (B,) to what was read in them.
BatchReader = Callable[[np.ndarray, np.ndarray], list[Reading]]


class TextRecognizer:
    """Reads word crops of any size with a CRNN or an attention recognizer.

    Args:
        read_batch: reads a batch with the network.
        charset: its characters.
        temperature: the confidence of a word is the product of the probabilities of its characters, calibrated by
            ``apply_temperature`` with this temperature; 1 leaves the product as it is. If None, the confidence is the
            geometric mean of the probabilities.
        sizes: the numbers of crops that ``read_batch`` may see at once, the smallest first.
        columns: of the crops of a batch, at most, which bounds memory.
    """

    def __init__(
        self,
        read_batch: BatchReader,
        charset: Charset,
        temperature: float | None = None,
        sizes: Sequence[int] = SIZES,
        columns: int = COLUMNS_AT_ONCE,
    ) -> None:
        self._read_batch, self._charset, self._temperature = read_batch, charset, temperature
        self._sizes, self._columns = sizes, columns

    @classmethod
    def load(
        cls,
        bundle: Bundle,
        beam_width: int = 1,
        temperature: float | None = None,
        engine: str = AUTO,
        uses_lexicon: bool = True,
    ) -> TextRecognizer:
        """Loads the recognizer of a bundle on an engine; see ``load_forward`` for what it sets in the process.

        Args:
            bundle: the model.
            beam_width: number of prefixes (CRNN) or hypotheses (attention) that decoding keeps; 1 is greedy decoding.
            temperature: the default is that of the bundle, if it has one.
            engine: see ``choose_engine``.
            uses_lexicon: whether its lexicon is used, if it has one; see ``read_by_ctc``.
        """
        charset, temperature = Charset.load(bundle.charset_path), temperature or bundle.temperature
        lexicon = Lexicon.load(bundle.lexicon_path) if uses_lexicon and bundle.lexicon_path else None
        engine = choose_engine(bundle, engine)
        if engine == OPENVINO:
            read_batch = read_by_ctc(load_forward(bundle, engine), charset, beam_width, lexicon)
            return cls(read_batch, charset, temperature, _LIGHT_SIZES, _LIGHT_COLUMNS)
        use_keras(engine)
        from ocr_models.recognition.keras_recognizer import load_keras_recognizer

        return load_keras_recognizer(bundle, charset, beam_width, temperature, lexicon)

    def read(self, crops: Sequence[np.ndarray]) -> list[Transcript]:
        """Reads gray uint8 crops (h, w), level and with the text upright.

        Crops are sorted into fixed widths, so that what is read in a crop doesn't depend on the other crops. It is the
        same to the last bit on OpenVINO (measured with AVX-512), and from a CRNN on TensorFlow with AVX-512 and one
        thread per operation (``limit_threads``). On TensorFlow with AVX2 alone, and from attention recognizers,
        confidences differ by less than 1e-6 between places of a batch, because the kernels compute its last rows
        differently; no text did.
        """
        resized = [resize_crop(crop) for crop in crops]
        by_width: dict[int, list[int]] = defaultdict(list)
        for i, crop in enumerate(resized):
            by_width[bucket_of(crop.shape[1])].append(i)
        transcripts: list[Transcript] = [Transcript("", 0.0)] * len(crops)
        for width, indices in sorted(by_width.items()):
            start = 0
            while start < len(indices):
                size = _size_of_batch(len(indices) - start, max(1, self._columns // width), self._sizes)
                chunk = indices[start : start + size]
                start += size
                check_reading_time()
                readings = self._read_chunk([resized[i] for i in chunk], width, size)
                for i, reading in zip(chunk, readings, strict=True):
                    transcripts[i] = self._transcript(reading, resized[i].shape[1])
        return transcripts

    def align(self, crop: np.ndarray) -> tuple[Transcript, np.ndarray]:
        """Reads one crop, and returns the attention weights, float32 (L, T), with a row for each character and the end.

        T is the number of positions: one for every four columns of the crop, which is resized to height 32 first.
        ``ocr_models.reports.visualization.draw_alignments`` draws the weights.

        Raises:
            UsageError: the recognizer is a CRNN, which has no attention.
        """
        resized = resize_crop(crop)
        reading = self._read_chunk([resized], bucket_of(resized.shape[1]), self._sizes[0])[0]
        if reading.alignments is None:
            raise UsageError("a CRNN has no attention to show; load an attention recognizer")
        alignments = reading.alignments[: len(reading.confidences), : logit_length(resized.shape[1])]
        return self._transcript(reading, resized.shape[1]), alignments

    def part(self, transcript: Transcript, start: int, stop: int) -> Transcript:
        """The transcript of some characters of a text, such as one word of a line, with their own confidence."""
        chars = slice(start, stop)
        confidences = transcript.char_confidences[chars]
        return self._with_confidence(transcript.text[chars], confidences, confidences, transcript.places[chars])

    def _transcript(self, reading: Reading, width: int) -> Transcript:
        """The transcript of a crop with ``width`` columns."""
        ids, confidences, steps, _ = reading
        places = tuple(np.minimum((np.array(steps, float) + 0.5) * WIDTH_STRIDE / width, 1.0).tolist())
        return self._with_confidence(self._charset.decode(ids), confidences, confidences[: len(ids)], places)

    def _with_confidence(
        self, text: str, confidences: Sequence[float], of_chars: tuple[float, ...], places: tuple[float, ...]
    ) -> Transcript:
        """A transcript whose confidence is that of ``confidences``, of its characters and perhaps of its end."""
        if not text:
            return Transcript("", 0.0)
        mean_log = _mean_log(confidences)
        own = confidence = math.exp(mean_log)
        if self._temperature is not None:
            confidence = apply_temperature(math.exp(mean_log * len(confidences)), self._temperature)
        return Transcript(text, confidence, of_chars, own, places)

    def _read_chunk(self, crops: list[np.ndarray], width: int, size: int) -> list[Reading]:
        """Reads crops of one bucket in a batch of a size; copies of the first fill it up."""
        full = crops + crops[:1] * (size - len(crops))
        images = pad_crops(full, width)[..., None]
        lengths = np.array([logit_length(crop.shape[1]) for crop in full], np.int32)
        return self._read_batch(images, lengths)[: len(crops)]


def _size_of_batch(count: int, most: int, sizes: Sequence[int]) -> int:
    """The size of the next batch of ``count`` crops: the one that holds them all, or else one that they fill."""
    filling = [size for size in sizes if size <= min(count, most)]
    holding = next((size for size in sizes if count <= size <= most), None)
    if holding and (not filling or holding <= _MOST_FILLING * count):
        return holding
    return filling[-1] if filling else sizes[0]


def read_by_ctc(forward: Forward, charset: Charset, beam_width: int = 1, lexicon: Lexicon | None = None) -> BatchReader:
    """Reads batches with a CRNN.

    Args:
        forward: computes the network: from crops, uint8 (B, 32, W, 1), to logits (B, W / 4, classes).
        charset: its characters.
        beam_width: number of prefixes that decoding keeps; 1 is greedy decoding.
        lexicon: lets ``respell`` decide between characters that the network is unsure of, if ``beam_width`` is 1; None
            leaves all as it was read. The words of a line stay if most of those that were read surely are unknown to
            the lexicon: it is in another language. Its numbers don't depend on that.
    """

    def read_batch(images, logit_lengths) -> list[Reading]:
        logits = np.asarray(forward(images))
        readings = [
            Reading(ids, tuple(confidences), steps) for ids, confidences, steps in greedy_decode(logits, logit_lengths)
        ]
        if beam_width > 1:
            log_probs = [of_crop[:length] for of_crop, length in zip(log_softmax(logits), logit_lengths, strict=True)]
            readings = [_search(steps, beam_width, greedy) for steps, greedy in zip(log_probs, readings, strict=True)]
        elif lexicon is not None:
            readings = [respell(*both, charset, lexicon) for both in zip(readings, logits, strict=True)]
        return readings

    return read_batch


def _search(log_probs: np.ndarray, beam_width: int, greedy: Reading) -> Reading:
    ids, log_prob = prefix_beam_decode(log_probs, beam_width)
    if ids == greedy.ids:
        return greedy
    steps = (
        np.linspace(0, len(log_probs) - 1, len(ids)).round().astype(int).tolist()
    )  # a sum over paths has no positions: spread evenly
    return Reading(ids, (math.exp(log_prob / max(1, len(ids))),) * len(ids), steps)


def _mean_log(confidences: Sequence[float]) -> float:
    if min(confidences) < _LEAST_CONFIDENCE:
        confidences = [max(c, _LEAST_CONFIDENCE) for c in confidences]
    return sum(map(math.log, confidences)) / len(confidences)
