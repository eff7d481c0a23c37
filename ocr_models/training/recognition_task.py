"""Trains the recognizers, CRNN and attention, on words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras

from ocr_models.bundle import find_bundle
from ocr_models.charset import PRINT, Charset
from ocr_models.data.dataset import ShardConfig, find_charset, read_examples
from ocr_models.data.loading.batches import attention_batches, labelled_words, recognition_batches, validation_words
from ocr_models.data.loading.skips import SkipCounts
from ocr_models.decoding.losses import sequence_loss
from ocr_models.metrics.calibration import fit_temperature
from ocr_models.metrics.recognition import EditCounts
from ocr_models.recognition.attention_network import SIZES as ATTENTION_SIZES
from ocr_models.recognition.attention_network import build_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.recognition.ctc_loss import ctc_loss
from ocr_models.recognition.keras_recognizer import keras_recognizer
from ocr_models.records import Transcript, WordTruth
from ocr_models.reports.html_report import Picture
from ocr_models.training.config import TrainingConfig
from ocr_models.training.task import SAMPLES, WORST, Learner, TrainingTask, Validation, start_from

VALIDATION_WORDS = 2000
_VALIDATION_SEED = 77


class RecognitionTask(TrainingTask):
    """A recognizer on words, validated by the share of words that are read exactly."""

    charset: Charset

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.charset = _charset(config)
        is_attention = config.arch in ATTENTION_SIZES
        self.build = partial(_build, config, len(self.charset) + 1)
        self.network = start_from(self.build(), config)
        self.learner = Learner(self.network, _cross_entropy if is_attention else _ctc)
        data = config.options.data
        if isinstance(data, ShardConfig):
            self._learn_from_shards(data, is_attention)
        else:
            make_batches = attention_batches if is_attention else recognition_batches
            self.make_batches = partial(make_batches, data, self.charset, config.batch_size)
            self._words = validation_words(data, self.charset, VALIDATION_WORDS, _VALIDATION_SEED)

    def _learn_from_shards(self, shards: ShardConfig, is_attention: bool) -> None:
        from ocr_models.data.loading.input_pipeline import recognition_dataset, shard_batches  # TensorFlow

        self.skipped = SkipCounts()
        make_dataset = partial(
            recognition_dataset,
            shards.training,
            self.charset,
            self.config.batch_size,
            augment=shards.augment,
            attention=is_attention,
            deterministic=self.config.deterministic,
            counts=self.skipped,
        )
        self.make_batches = partial(shard_batches, make_dataset)
        examples = read_examples(shards.validation, "validation")
        self._words = labelled_words(examples, self.charset, VALIDATION_WORDS)

    def validate(self) -> Validation:
        recognizer = keras_recognizer(self.network, self.charset, temperature=1)  # so that one can be fitted
        transcripts = recognizer.read([word.image for word in self._words])
        counts = EditCounts()
        for word, transcript in zip(self._words, transcripts, strict=True):
            counts += EditCounts.of(word.text, transcript.text)
        correct = [word.text == t.text for word, t in zip(self._words, transcripts, strict=True)]
        temperature = fit_temperature([t.confidence for t in transcripts], correct)
        scores = {"score": counts.exact_share, "cer": counts.cer, "temperature": temperature}
        samples = [_drawn(*pair) for pair in zip(self._words[:SAMPLES], transcripts, strict=False)]
        return Validation(scores, samples, _surest_mistakes(self._words, transcripts))


def _charset(config: TrainingConfig) -> Charset:
    """The charset of the bundle to start from, that of the shards, or all that print has; with the space.

    The space is needed for crops that hold two words. Without shards, a bundle to start from gets the characters of
    print that it lacks, after its own. The classes of an attention recognizer to start from stay as they are, because
    its tables of classes can't grow.
    """
    data = config.options.data
    known = ""
    if config.init:
        bundle = find_bundle(config.init, config.task)
        known = Charset.load(bundle.charset_path).characters
        if bundle.config["arch"] in ATTENTION_SIZES:
            return Charset(known)
    wanted = PRINT
    if isinstance(data, ShardConfig):
        wanted = known or find_charset(data.training).characters
    return Charset(dict.fromkeys(f"{known}{wanted} "))


def _build(config: TrainingConfig, num_classes: int) -> keras.Model:
    if config.arch in ATTENTION_SIZES:
        return build_attention(num_classes, replace(ATTENTION_SIZES[config.arch], **config.options.attention))
    return build_crnn(num_classes, config.arch)


def _surest_mistakes(words: Sequence[WordTruth], transcripts: Sequence[Transcript]) -> list[Picture]:
    wrong = [pair for pair in zip(words, transcripts, strict=True) if pair[0].text != pair[1].text]
    wrong.sort(key=lambda pair: -pair[1].confidence)
    return [_drawn(*pair) for pair in wrong[:WORST]]


def _drawn(word: WordTruth, transcript: Transcript) -> Picture:
    return Picture(word.image, f"read: {transcript.text} ({transcript.confidence:.2f})\ntruth: {word.text}")


def _ctc(truth, logits) -> Any:
    return ctc_loss(truth["labels"], logits, truth["label_length"], truth["logit_length"])


def _cross_entropy(truth, logits) -> Any:
    return sequence_loss(logits, truth["targets"], truth["weights"])
