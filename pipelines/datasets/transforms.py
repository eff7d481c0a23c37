"""From the items of a labelled source to the shards of a data set."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from ocr_models.data.sources.source import RejectedPicture, Source, SourceItem
from ocr_models.errors import DocumentError, Stage
from ocr_models.vocabulary import Vocabulary
from pipelines.datasets.dataset_json import DataSetDescription
from pipelines.datasets.near_duplicates import NearDuplicates, equal_pairs, look_alikes, near_pairs, parts_of
from pipelines.datasets.prepared_picture import DataSetCounts, PreparedPicture, PrepareItem
from pipelines.datasets.shard_files import MAX_QUARANTINED_BYTES, Problem, ShardFile, quarantine, write_shard
from pipelines.datasets.splits import sample_order, shard_name, shard_of
from pipelines.datasets.staging import RecordPlace, StagedPicture, StagingFile
from pipelines.decoding.child import Answer
from pipelines.decoding.pool import DecodeAhead, shared_pool
from pipelines.inputs.documents import local_copy
from pipelines.runtime import progress

MAX_WAITING_BYTES = 64_000_000  # of pictures that are read but not yet written, for each worker
MAX_WAITING_ITEMS = 32
SAMPLES = 24


@dataclass
class ReadPictures(beam.PTransform):
    """Source items → ``StagedPicture`` for each that could be read, and ``Problem`` for what was left out or mended.

    Attributes:
        source: reads the items, in child processes.
        dataset: what is being made.
    """

    source: Source
    dataset: DataSetDescription

    def expand(self, items: beam.PCollection[SourceItem]) -> beam.PCollection[StagedPicture | Problem]:
        return (
            items
            | "Count" >> beam.Map(_count_expected)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_ReadPicturesFn(self.source, self.dataset))
        )


def _count_expected(item: SourceItem) -> SourceItem:
    progress.count_pages(progress.EXPECTED)
    return item


@dataclass(frozen=True)
class _PendingItem:
    """An item on its way through its decoder; ``file`` keeps a downloaded one from being deleted."""

    item: SourceItem
    file: Any
    answer: Future[Answer]


class _ReadPicturesFn(beam.DoFn):
    def __init__(self, source: Source, dataset: DataSetDescription):
        self._source = source
        self._dataset = dataset

    def start_bundle(self) -> None:
        self._decoder = DecodeAhead(shared_pool(), MAX_WAITING_BYTES)
        self._staging = StagingFile(self._dataset.output)
        self._pending: deque[_PendingItem] = deque()

    def process(self, item: SourceItem) -> Iterator[StagedPicture | Problem]:
        try:
            file = local_copy(item.path, self._dataset.fingerprint.sha256) if item.path else None
        except DocumentError as error:
            yield self._reject(RejectedPicture(item.name, error.stage, str(error)))
            progress.count_pages("failed")
            return
        answer = self._decoder.submit(PrepareItem(self._source, item, file.name if file else None))
        self._pending.append(_PendingItem(item, file, answer))
        if len(self._pending) >= MAX_WAITING_ITEMS:
            yield from self._take(self._pending.popleft())

    def finish_bundle(self) -> Iterator[WindowedValue]:
        while self._pending:
            for found in self._take(self._pending.popleft()):
                yield GlobalWindows.windowed_value(found)
        self._staging.close()

    def _take(self, pending: _PendingItem) -> Iterator[StagedPicture | Problem]:
        try:
            pictures = self._decoder.take(pending.answer).value.pictures
        except DocumentError as error:  # it crashed its decoder, say: what else was in the item is lost, too
            data = _read_small(pending.file.name) if pending.file else None
            pictures = (RejectedPicture(pending.item.name, error.stage, str(error), data),)
        for picture in pictures:
            yield from [self._reject(picture)] if isinstance(picture, RejectedPicture) else self._stage(picture)
        progress.count_pages("failed" if any(isinstance(picture, RejectedPicture) for picture in pictures) else "ok")

    def _reject(self, picture: RejectedPicture) -> Problem:
        file = quarantine(self._dataset.output, picture.name, picture.data)
        return Problem(picture.name, "picture", picture.stage, picture.reason, file)

    def _stage(self, picture: PreparedPicture) -> Iterator[StagedPicture | Problem]:
        for reason in picture.repairs:
            yield Problem(picture.name, "repair", Stage.LABEL, reason)
        for reason in picture.rejected_labels:
            yield Problem(picture.name, "label", Stage.LABEL, reason)
        if picture.payloads:
            yield self._staging.add(picture)
        else:
            yield Problem(picture.name, "picture", Stage.LABEL, "none of its labels is of use")


def _read_small(path: str) -> bytes | None:
    """The bytes of a local file, unless it is missing or too large to be kept."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_QUARANTINED_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MAX_QUARANTINED_BYTES else None


class RemoveDuplicates(beam.PTransform):
    """Staged pictures → the same but for one of each content, and a ``Problem`` for every other."""

    def expand(self, pictures: beam.PCollection[StagedPicture]) -> beam.PCollection[StagedPicture | Problem]:
        return (
            pictures
            | "KeyByDigest" >> beam.Map(lambda picture: (picture.digest, picture))
            | "GroupByDigest" >> beam.GroupByKey()
            | "KeepFirst" >> beam.FlatMapTuple(lambda _, group: keep_first(group))
        )


def keep_first(group: Iterable[StagedPicture]) -> Iterator[StagedPicture | Problem]:
    """Of pictures with the same bytes, the one whose name comes first; the others as problems."""
    first, *others = sorted(group, key=lambda picture: picture.name)
    yield first
    for other in others:
        same = other.labels_digest == first.labels_digest
        reason = f"has the bytes of {first.name}" + ("" if same else ", but other labels: check which are right")
        yield Problem(other.name, "duplicate", "content" if same else "label", reason)


@dataclass
class SumCounts(beam.PTransform):
    """Pictures → one dict of ``DataSetCounts`` by split.

    Attributes:
        dataset: what is being made.
    """

    dataset: DataSetDescription

    def expand(self, pictures: beam.PCollection[StagedPicture]) -> beam.PCollection[dict[str, DataSetCounts]]:
        splits = self.dataset.splits
        return (
            pictures
            | "KeyBySplit" >> beam.Map(lambda picture: (splits.split_of(picture.digest), picture.packed_counts))
            | "Sum" >> beam.CombinePerKey(_SumCountsFn())
            | "ToDict" >> beam.combiners.ToDict()
        )


class _SumCountsFn(beam.CombineFn):
    """Adds up in place: the tokens of captions are far too many to copy them with each picture."""

    def create_accumulator(self) -> DataSetCounts:
        return DataSetCounts()

    def add_input(self, accumulator: DataSetCounts, packed_counts: bytes) -> DataSetCounts:
        accumulator.add(pickle.loads(packed_counts))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[DataSetCounts]) -> DataSetCounts:
        return DataSetCounts.sum(accumulators)

    def extract_output(self, accumulator: DataSetCounts) -> DataSetCounts:
        return accumulator


@dataclass
class WriteDataShards(beam.PTransform):
    """Pictures → ``ShardFile`` for each of the shards written.

    Attributes:
        dataset: what is being made.
        totals: the one dict of counts by split, which decides the number of shards.
    """

    dataset: DataSetDescription
    totals: beam.PCollection[dict[str, DataSetCounts]]

    def expand(self, pictures: beam.PCollection[StagedPicture]) -> beam.PCollection[ShardFile]:
        totals = AsSingleton(self.totals)
        vocabulary = AsSingleton(self.totals | "BuildVocabulary" >> beam.Map(self.dataset.build_vocabulary))
        return (
            pictures
            | "PlaceRecords" >> beam.FlatMap(_place_records, self.dataset, totals)
            | "GroupByShard" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(_write_group, self.dataset.output, vocabulary)
            | "AllShards" >> beam.combiners.ToList()
            | "WriteEmptyShards" >> beam.FlatMap(_add_empty_shards, self.dataset, totals)
        )


def _shard_counts(dataset: DataSetDescription, totals: dict[str, DataSetCounts]) -> dict[str, int]:
    return dataset.splits.shard_counts(
        {split: sums.record_bytes for split, sums in totals.items()}, dataset.train_shards
    )


def _place_records(
    picture: StagedPicture, dataset: DataSetDescription, totals: dict[str, DataSetCounts]
) -> Iterator[tuple[str, RecordPlace]]:
    split = dataset.splits.split_of(picture.digest)
    count = _shard_counts(dataset, totals)[split]
    name = shard_name(split, shard_of(picture.digest, count), count, dataset.compressed)
    for index, offset in enumerate(picture.offsets):
        yield name, (picture.digest, picture.name, index, picture.file, offset)


def _write_group(group: tuple[str, Iterable[RecordPlace]], output: str, vocabulary: Vocabulary | None) -> ShardFile:
    name, places = group
    return write_shard(output, name, places, vocabulary)


def _add_empty_shards(
    shards: list[ShardFile], dataset: DataSetDescription, totals: dict[str, DataSetCounts]
) -> list[ShardFile]:
    """Writes a file for each shard that got no record, as the files' names promise them."""
    names = {
        shard_name(split, shard, count, dataset.compressed)
        for split, count in _shard_counts(dataset, totals).items()
        for shard in range(count)
    }
    missing = sorted(names - {shard.path for shard in shards})
    return shards + [write_shard(dataset.output, name, []) for name in missing]


@dataclass
class FindNearDuplicates(beam.PTransform):
    """Pictures → one ``NearDuplicates``.

    Attributes:
        dataset: what is being made.
    """

    dataset: DataSetDescription

    def expand(self, pictures: beam.PCollection[StagedPicture]) -> beam.PCollection[NearDuplicates]:
        splits = self.dataset.splits
        alike = (
            pictures
            | "KeyByHash"
            >> beam.Map(lambda picture: (picture.perceptual_hash, (picture.name, splits.split_of(picture.digest))))
            | "GroupByHash" >> beam.GroupByKey()
            | "LookAlikes" >> beam.MapTuple(look_alikes)
        )
        equal = alike | "EqualPairs" >> beam.Map(equal_pairs) | "SumEqual" >> beam.CombineGlobally(NearDuplicates.sum)
        near = (
            alike
            | "Parts" >> beam.FlatMap(lambda group: [(part, group) for part in parts_of(group.hash)])
            | "GroupByPart" >> beam.GroupByKey()
            | "NearPairs" >> beam.MapTuple(lambda part, groups: near_pairs(part[0], groups))
            | "SumNear" >> beam.CombineGlobally(NearDuplicates.sum)  # at once: a flatten would keep all the lists
        )
        return (equal, near) | beam.Flatten() | "Sum" >> beam.CombineGlobally(NearDuplicates.sum)


class ChooseSamples(beam.PTransform):
    """Pictures → one list of staged records, by file and offset: a random choice that is always the same."""

    def expand(self, pictures: beam.PCollection[StagedPicture]) -> beam.PCollection[list[tuple[str, int]]]:
        return (
            pictures
            | "OneRecord" >> beam.Map(_sample_record)
            | "Choose" >> beam.combiners.Top.Smallest(SAMPLES)
            | "Places" >> beam.Map(lambda chosen: [place for _, place in chosen])
        )


def _sample_record(picture: StagedPicture) -> tuple[str, tuple[str, int]]:
    """One record of a picture, any of them, behind what the choice goes by."""
    order = sample_order(picture.digest)
    return order, (picture.file, picture.offsets[int(order, 16) % len(picture.offsets)])
