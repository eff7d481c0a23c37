"""Training of the recognizers, CRNN and attention, on words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import keras

from ocr_models.charset import LATIN, Charset
from ocr_models.data.batches import attention_batches, recognition_batches, validation_words
from ocr_models.decoding.losses import sequence_loss
from ocr_models.metrics import EditCounts
from ocr_models.predictors import TextRecognizer
from ocr_models.recognition.attention import SIZES as ATTENTION_SIZES
from ocr_models.recognition.attention import build_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.recognition.ctc import ctc_loss
from ocr_models.training.config import TrainingConfig
from ocr_models.training.task import Learner, Task, start_from

VALIDATION_WORDS = 2000
_VALIDATION_SEED = 77


class RecognitionTask(Task):
    """A recognizer on words, validated by the share of words read without a fault."""

    charset = Charset(LATIN)

    def __init__(self, config: TrainingConfig):
        self.config = config
        options, num_classes = config.options, len(self.charset) + 1
        network: keras.Model
        make_batches: Callable[..., Any]
        if config.arch in ATTENTION_SIZES:
            size = replace(ATTENTION_SIZES[config.arch], **options.attention)
            network, loss, make_batches = build_attention(num_classes, size), _cross_entropy, attention_batches
        else:
            network, loss, make_batches = build_crnn(num_classes, config.arch), _ctc, recognition_batches
        self.network = start_from(network, config)
        self.learner = Learner(self.network, loss)
        self.make_batches = partial(make_batches, options.data, self.charset, config.batch_size)
        self._words = validation_words(options.data, self.charset, VALIDATION_WORDS, _VALIDATION_SEED)

    def validate(self) -> dict[str, float]:
        recognizer = TextRecognizer(self.network, self.charset)
        transcripts = recognizer.read([word.image for word in self._words])
        counts = EditCounts()
        for word, transcript in zip(self._words, transcripts, strict=True):
            counts += EditCounts.of(word.text, transcript.text)
        return {"score": counts.exact_share, "cer": counts.cer}


def _ctc(truth, logits):
    return ctc_loss(truth["labels"], logits, truth["label_length"], truth["logit_length"])


def _cross_entropy(truth, logits):
    return sequence_loss(logits, truth["targets"], truth["weights"])
