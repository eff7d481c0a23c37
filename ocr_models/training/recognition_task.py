"""Training of the recognizers, CRNN and attention, on words."""

from __future__ import annotations

from functools import partial

from ocr_models.charset import LATIN, Charset
from ocr_models.data.batches import recognition_batches, validation_words
from ocr_models.metrics import EditCounts
from ocr_models.predictors import TextRecognizer
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
        data = config.options.data
        self.network = start_from(build_crnn(len(self.charset) + 1, config.arch), config)
        self.learner = Learner(self.network, _ctc)
        self.make_batches = partial(recognition_batches, data, self.charset, config.batch_size)
        self._words = validation_words(data, self.charset, VALIDATION_WORDS, _VALIDATION_SEED)

    def validate(self) -> dict[str, float]:
        recognizer = TextRecognizer(self.network, self.charset)
        transcripts = recognizer.read([word.image for word in self._words])
        counts = EditCounts()
        for word, transcript in zip(self._words, transcripts, strict=True):
            counts += EditCounts.of(word.text, transcript.text)
        return {"score": counts.exact_share, "cer": counts.error_rate}


def _ctc(truth, logits):
    return ctc_loss(truth["labels"], logits, truth["label_length"], truth["logit_length"])
