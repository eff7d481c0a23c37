"""PTransforms from inputs to page ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import apache_beam as beam

from ocr_models.limits import DecodeLimits
from pipelines.decoding.pool import shared_pool
from pipelines.inputs.discovery import FoundFile, find_all
from pipelines.inputs.documents import open_document
from pipelines.inputs.page_ranges import Document, PageRange
from pipelines.runtime import progress
from pipelines.runtime.runner import keep_all_elements


@dataclass
class ReadDocuments(beam.PTransform):
    """Root → the page ranges of all documents at the inputs; nothing is decoded yet.

    A document that can't be opened becomes one empty range with the error, and a file that isn't read one with the
    reason. An input at which a worker finds nothing at all fails the pipeline.

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
            | "Find" >> beam.FlatMap(find_all).with_output_types(FoundFile)
            | "KeyByUri" >> beam.Map(lambda file: (file.uri, file)).with_output_types(tuple[str, FoundFile])
            | "KeepOneOfEach" >> beam.CombinePerKey(FoundFile.most_wanted)
            | "DropKey" >> beam.Values().with_output_types(FoundFile)
            | OpenDocuments(self.limits)
        )


@dataclass
class OpenDocuments(beam.PTransform):
    """Files → the page ranges of the documents among them; a large document has several.

    Attributes:
        limits: what a document may cost.
    """

    limits: DecodeLimits = field(default_factory=DecodeLimits)

    def expand(self, files: beam.PCollection[FoundFile]) -> beam.PCollection[PageRange]:
        keep_all_elements()
        spread = files | "SpreadDocuments" >> beam.Reshuffle()
        return spread | "Open" >> beam.FlatMap(_open, self.limits).with_output_types(PageRange)


def _open(file: FoundFile, limits: DecodeLimits) -> Iterator[PageRange]:
    if file.error or file.skipped:
        page_ranges = iter([PageRange(Document(file.uri, error=file.error, skipped=file.skipped), 0, 0)])
    else:
        page_ranges = open_document(file.uri, shared_pool(limits))
    for page_range in page_ranges:
        expected = 0 if file.skipped else max(page_range.stop - page_range.start, 1)
        progress.count_pages(progress.EXPECTED, expected)
        yield page_range
