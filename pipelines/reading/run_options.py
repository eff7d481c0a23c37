"""The options of the kinds of runs. This module doesn't import Beam: a run that finds nothing new doesn't load it."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from ocr_models.bundle import DEFAULT_BUNDLES, Bundle, find_bundle
from ocr_models.inference.engines import AUTO, check_keras, choose_engine
from ocr_models.limits import DecodeLimits
from ocr_models.records import MIN_CONFIDENCE, TextLayerUse
from pipelines.inputs.input_list import InputList
from pipelines.output.parts import Part
from pipelines.output.schemas import CAPTIONS, PAGES, Table
from pipelines.runtime.beam_options import BeamOptions
from pipelines.runtime.bundles import local_bundle


@dataclass(frozen=True, kw_only=True)
class Rereading:
    """Which known pages are read again.

    Attributes:
        retry_failed: those that failed.
        below: those with a mean confidence below this, 0 to 1; None for none.
        reread: those that other models read, or other options.
        hash_all: no page for that alone; but all files are hashed, whatever their sizes and times.
    """

    retry_failed: bool = False
    below: float | None = None
    reread: bool = False
    hash_all: bool = False


@dataclass(frozen=True, kw_only=True)
class RunOptions(BeamOptions, ABC):
    """The options of all kinds of runs.

    Attributes:
        inputs: files, folders and globs, on any Beam file system.
        input_list: lists more inputs; None for no list.
        output: the output folder, on any Beam file system.
        dpi: resolution for rendering PDFs.
        limits: what a document may cost.
        rereading: which known pages are read again.
        wait: wait for another run that writes to the output, instead of failing.
        deadline_s: seconds after which no more pages are begun; None for no deadline.
        part: read only the documents of this part of a job array; None for all.
    """

    table: ClassVar[Table]
    inputs: list[str]
    output: str
    dpi: float = 200
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    rereading: Rereading = field(default_factory=Rereading)
    wait: bool = False
    deadline_s: float | None = None
    input_list: InputList | None = None
    part: Part | None = None

    @abstractmethod
    def find_models(self) -> dict[str, Bundle]:
        """The checked bundles by role. Raises UsageError for a broken one, or one that can't be computed here."""

    def what_changes_readings(self) -> dict[str, Any]:
        """The options, besides the models, that change what is read from a page."""
        return {"dpi": self.dpi}

    def reader_id(self, models: dict[str, Bundle]) -> str:
        """The column ``reader_id`` of the rows: a hash of the models and options that change what is read."""
        digests = {role: bundle.digest for role, bundle in models.items()}
        return make_reader_id(self.table, digests, self.what_changes_readings())

    def as_json(self) -> dict[str, Any]:
        """All options but the inputs, for manifests."""
        return {name: value for name, value in asdict(self).items() if name != "inputs"}


def make_reader_id(table: Table, digests: dict[str, str], options: dict[str, Any]) -> str:
    """16 hex digits that tell readings apart that may differ: by models, options or version of the table."""
    identity = json.dumps([table.folder, table.version, digests, options], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class OcrOptions(RunOptions):
    """The options of ``pagebeam run``.

    Attributes:
        detector: name or folder of the model that finds words.
        recognizer: name or folder of the model that reads them.
        beam_width: width of the recognizer's beam search; 1 takes the most likely character of each step.
        min_confidence: words that the network is less sure of, 0 to 1, are left out of the text; rows keep them.
        engine: what computes the models; all engines read the same, so that known pages aren't read again for it.
        uses_lexicon: whether the recognizer's lexicon, if it has one, decides where it is unsure of letters and spaces.
        text_layer: whether the words of a PDF page are taken from its text, where that says all that is printed.
    """

    table = PAGES
    detector: str = DEFAULT_BUNDLES["detection"]
    recognizer: str = DEFAULT_BUNDLES["recognition"]
    beam_width: int = 1
    min_confidence: float = MIN_CONFIDENCE
    engine: str = AUTO
    uses_lexicon: bool = True
    text_layer: str = TextLayerUse.AUTO

    def find_models(self) -> dict[str, Bundle]:
        models = {
            "detector": find_bundle(local_bundle(self.detector), "detection"),
            "recognizer": find_bundle(local_bundle(self.recognizer), "recognition"),
        }
        for bundle in models.values():
            choose_engine(bundle, self.engine)
        return models

    def what_changes_readings(self) -> dict[str, Any]:
        told: dict[str, Any] = {"dpi": self.dpi, "beam_width": self.beam_width, "min_confidence": self.min_confidence}
        if not self.uses_lexicon:  # nothing else is told than before there was a choice
            told["uses_lexicon"] = False
        if self.text_layer != TextLayerUse.NEVER:  # likewise
            told["text_layer"] = str(self.text_layer)
        return told


@dataclass(frozen=True, kw_only=True)
class CaptionOptions(RunOptions):
    """The options of ``pagebeam caption``.

    Attributes:
        captioner: folder of the model.
        beam_width: width of its beam search, and number of captions per picture.
    """

    table = CAPTIONS
    captioner: str
    beam_width: int = 3

    def find_models(self) -> dict[str, Bundle]:
        check_keras("a captioner")
        return {"captioner": find_bundle(local_bundle(self.captioner), "caption")}

    def what_changes_readings(self) -> dict[str, Any]:
        return {"dpi": self.dpi, "beam_width": self.beam_width}
