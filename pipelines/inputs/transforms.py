"""PTransforms from inputs to page ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import apache_beam as beam

from ocr_models.limits import DecodeLimits
from pipelines.decoding.pool import shared_pool
from pipelines.inputs.discovery import find_documents
from pipelines.inputs.documents import open_document
from pipelines.inputs.page_ranges import PageRange
from pipelines.runtime import progress
from pipelines.runtime.runner import keep_all_elements


@dataclass
class ReadDocuments(beam.PTransform):
    """Root → the page ranges of all documents at the inputs; nothing is decoded yet.

    A document that can't be opened becomes one empty range with the error.

    Attributes:
        inputs: files, folders and globs on any Beam file system. A document named by several of them is read once.
        limits: what a document may cost; one that exceeds them can't be opened.
    """

    inputs: Sequence[str]
    limits: DecodeLimits = field(default_factory=DecodeLimits)

    def expand(self, root: beam.Pipeline) -> beam.PCollection[PageRange]:
        return (
            root
            | "Inputs" >> beam.Create(list(self.inputs), reshuffle=False)
            | "Find" >> beam.FlatMap(find_documents).with_output_types(str)
            | "KeepOneOfEach" >> beam.Distinct()
            | OpenDocuments(self.limits)
        )


@dataclass
class OpenDocuments(beam.PTransform):
    """URIs → the page ranges of the documents there; a large document has several.

    Attributes:
        limits: what a document may cost.
    """

    limits: DecodeLimits = field(default_factory=DecodeLimits)

    def expand(self, uris: beam.PCollection[str]) -> beam.PCollection[PageRange]:
        keep_all_elements()
        return (
            uris
            | "SpreadDocuments" >> beam.Reshuffle()
            | "Open" >> beam.FlatMap(_open, self.limits).with_output_types(PageRange)
        )


def _open(uri: str, limits: DecodeLimits) -> Iterator[PageRange]:
    for page_range in open_document(uri, shared_pool(limits)):
        progress.count_pages(progress.EXPECTED, max(page_range.stop - page_range.start, 1))
        yield page_range
