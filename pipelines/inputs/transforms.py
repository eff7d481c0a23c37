"""PTransforms from inputs to page ranges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import apache_beam as beam

from ocr_models.limits import DecodeLimits
from pipelines.decoding.pool import shared_pool
from pipelines.inputs.discovery import FoundFile, check_seen, find_all
from pipelines.inputs.documents import open_document
from pipelines.inputs.page_ranges import PAGES_PER_FETCH, PageRange
from pipelines.inputs.worklist import read_known, read_part
from pipelines.runtime import progress
from pipelines.runtime.runner import keep_all_elements
from pipelines.runtime.stopping import StopFile
from pipelines.runtime.storage import is_remote


# Beam leaves out the hints in annotations that are strings, as all are here: its transforms that are public say them.
@beam.typehints.with_output_types(PageRange)
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
            | _ReadCopiesOnce(any(map(is_remote, self.inputs)))
        )


@dataclass
class ReadWorklist(beam.PTransform):
    """Root → the page ranges of all documents of a worklist, see ``pipelines.inputs.worklist``.

    Attributes:
        parts: paths of the parts of the worklist.
        known: paths of what is known of documents that were read before, see ``read_known``.
        limits: what a document may cost.
        stop: asks to open no more documents; None if nothing does.
        folders: local folders of the inputs; a worker that doesn't see them fails the pipeline.
        has_remote: whether documents may be on a remote file system.
    """

    parts: Sequence[str]
    known: tuple[str, ...] = ()
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    stop: StopFile | None = None
    folders: tuple[str, ...] = ()
    has_remote: bool = False

    def expand(self, root: beam.Pipeline) -> beam.PCollection[PageRange]:
        return (
            root
            | "Parts" >> beam.Create(list(self.parts), reshuffle=False)
            | "ReadPart" >> beam.FlatMap(read_part).with_output_types(FoundFile)
            | OpenDocuments(self.limits, self.known, self.stop, self.folders)
            | _ReadCopiesOnce(self.has_remote)
        )


@dataclass
class OpenDocuments(beam.PTransform):
    """Files → the page ranges of the documents among them; a large document has several.

    Attributes:
        limits: what a document may cost.
        known: paths of what is known of documents that were read before, see ``read_known``.
        stop: asks to open no more documents; None if nothing does.
        folders: local folders of the inputs; a worker that doesn't see them fails the pipeline.
    """

    limits: DecodeLimits = field(default_factory=DecodeLimits)
    known: tuple[str, ...] = ()
    stop: StopFile | None = None
    folders: tuple[str, ...] = ()

    def expand(self, files: beam.PCollection[FoundFile]) -> beam.PCollection[PageRange]:
        keep_all_elements()
        opened = beam.FlatMap(_open, self.limits, self.known, self.stop, self.folders).with_output_types(PageRange)
        return files | "SpreadDocuments" >> beam.Reshuffle() | "Open" >> opened


@dataclass
class _ReadCopiesOnce(beam.PTransform):
    """Page ranges → page ranges, spread over the workers; those of copies of a document become one.

    Attributes:
        has_remote: whether documents may be on a remote file system: then many pages of one stay together, for each
            worker that reads some must download it.
    """

    has_remote: bool

    def expand(self, page_ranges: beam.PCollection[PageRange]) -> beam.PCollection[PageRange]:
        return (
            page_ranges
            | "KeyByContent"
            >> beam.Map(_key_by_content, self.has_remote).with_output_types(tuple[tuple[str, int], PageRange])
            | "GroupCopies" >> beam.GroupByKey()
            | "MergeCopies" >> beam.FlatMapTuple(_merge_copies).with_output_types(PageRange)
        )


def _open(
    file: FoundFile, limits: DecodeLimits, known: tuple[str, ...], stop: StopFile | None, folders: tuple[str, ...]
) -> Iterator[PageRange]:
    check_seen(folders)
    if file.error or file.skipped:
        yield PageRange.without_pages(file, file.error, file.skipped)
    elif not (stop and stop.is_asked()):
        yield from open_document(file, shared_pool(limits), read_known(known) if known else None)


def _key_by_content(page_range: PageRange, has_remote: bool) -> tuple[tuple[str, int], PageRange]:
    place = page_range.start // PAGES_PER_FETCH if has_remote else page_range.number
    return (page_range.document.content, place), page_range


def _merge_copies(key: tuple[str, int], ranges: Iterable[PageRange]) -> Iterator[PageRange]:
    copies: defaultdict[int, list[PageRange]] = defaultdict(list)
    for page_range in ranges:
        copies[page_range.number].append(page_range)
    for number in sorted(copies):
        yield count_pages(PageRange.of_copies(copies[number]))


def count_pages(page_range: PageRange) -> PageRange:
    """Tells the progress of a run how many pages to expect; returns the page range."""
    if page_range.number == 0:
        progress.count_pages(progress.OPENED, max(len(page_range.document.places), 1))
        progress.count_pages(progress.EXPECTED, page_range.document.expected_rows)
    return page_range
