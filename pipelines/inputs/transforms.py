"""From inputs to page ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from pipelines.decoding.pool import shared_pool
from pipelines.inputs.documents import PageRange, find_documents, open_document
from pipelines.runtime import progress


@dataclass
class FindDocuments(beam.PTransform):
    """Root → the URIs of all documents at the inputs, each once.

    Attributes:
        inputs: files, folders and globs on any Beam file system.
    """

    inputs: list[str]

    def expand(self, root: beam.Pipeline) -> beam.PCollection[str]:
        return (
            root
            | "Inputs" >> beam.Create(self.inputs, reshuffle=False)
            | "Find" >> beam.FlatMap(find_documents).with_output_types(str)
            | "KeepOneOfEach" >> beam.Distinct()
        )


class OpenDocuments(beam.PTransform):
    """URIs → page ranges, spread over workers; a document that can't be opened is one empty range with the error."""

    def expand(self, uris: beam.PCollection[str]) -> beam.PCollection[PageRange]:
        return uris | "SpreadDocuments" >> beam.Reshuffle() | "Open" >> beam.FlatMap(_open).with_output_types(PageRange)


def _open(uri: str) -> Iterator[PageRange]:
    for page_range in open_document(uri, shared_pool()):
        progress.count_pages(progress.EXPECTED, max(page_range.stop - page_range.start, 1))
        yield page_range
