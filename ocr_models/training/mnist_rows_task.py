"""Trains small recognizers on rows of five MNIST digits."""

from __future__ import annotations

from functools import partial
from typing import Any

from ocr_models.data.mnist.rows import CHARSET, PAD_LABEL, Rows, attention_batches, ctc_batches, held_out_rows
from ocr_models.decoding.losses import sequence_loss
from ocr_models.metrics.recognition import EditCounts
from ocr_models.recognition.attention_network import is_attention
from ocr_models.recognition.ctc_loss import ctc_loss
from ocr_models.recognition.digit_rows import build_digit_reader
from ocr_models.recognition.keras_recognizer import keras_recognizer
from ocr_models.recognition.text_recognizer import TextRecognizer
from ocr_models.reports.html_report import Picture
from ocr_models.training.config import TrainingConfig
from ocr_models.training.task import SAMPLES, WORST, Learner, TrainingTask, Validation, start_from

TRAINED_LENGTH = 5
_VALIDATION_ROWS = 1000
_VALIDATION_SEED = 77


class MnistRowsTask(TrainingTask):
    """A recognizer on rows of five digits, validated by the share of such rows that are read exactly.

    No image is used for more than one of training, validation and test.
    """

    charset = CHARSET

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        folder = config.options.mnist
        self._rows = held_out_rows(folder, "validation", TRAINED_LENGTH, _VALIDATION_ROWS, _VALIDATION_SEED)
        self.build = partial(build_digit_reader, len(CHARSET) + 1, config.arch)
        self.network = start_from(self.build(), config)
        loss, make_batches = (_cross_entropy, attention_batches) if is_attention(self.network) else (_ctc, ctc_batches)
        self.learner = Learner(self.network, loss)
        self.make_batches = partial(make_batches, folder, TRAINED_LENGTH, config.batch_size)

    def validate(self) -> Validation:
        read, truths = _read(keras_recognizer(self.network, CHARSET), self._rows), _truths(self._rows)
        counts = _count(self._rows, read)
        drawn = [
            Picture(image[..., 0], f"read: {text}\ntruth: {truth}")
            for image, text, truth in zip(self._rows.images, read, truths, strict=True)
        ]
        wrong = [picture for picture, text, truth in zip(drawn, read, truths, strict=True) if text != truth]
        return Validation({"score": counts.exact_share, "cer": counts.cer}, drawn[:SAMPLES], wrong[:WORST])


def read_rows(recognizer: TextRecognizer, rows: Rows) -> EditCounts:
    """Errors in reading the rows; ``exact_share`` is the sequence accuracy."""
    return _count(rows, _read(recognizer, rows))


def _read(recognizer: TextRecognizer, rows: Rows) -> list[str]:
    return [transcript.text for transcript in recognizer.read(list(rows.images[..., 0]))]


def _truths(rows: Rows) -> list[str]:
    return [CHARSET.decode(labels[labels != PAD_LABEL]) for labels in rows.labels]


def _count(rows: Rows, read: list[str]) -> EditCounts:
    return sum(map(EditCounts.of, _truths(rows), read), EditCounts())


def _ctc(truth, logits) -> Any:
    return ctc_loss(truth["labels"], logits, truth["label_length"], truth["logit_length"])


def _cross_entropy(truth, logits) -> Any:
    return sequence_loss(logits, truth["targets"], truth["targets"] != PAD_LABEL)
