"""PTransforms from the items of a labelled source to the shards of a data set."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from ocr_models.data.dataset_files import shard_name
from ocr_models.data.sources.source import Source, SourceItem
from ocr_models.vocabulary import Vocabulary
from pipelines.datasets.dataset_json import DataSetDescription
from pipelines.datasets.near_duplicates import NearDuplicates, equal_pairs, look_alikes, near_pairs, parts_of
from pipelines.datasets.picture_stream import PictureStream
from pipelines.datasets.prepared_picture import DataSetCounts
from pipelines.datasets.shard_files import Problem, ShardFile, write_shard
from pipelines.datasets.splits import sample_order, shard_of
from pipelines.datasets.staging import RecordPlace, StagedPicture
from pipelines.decoding.pool import shared_pool
from pipelines.decoding.stream_fn import StreamFn
from pipelines.runtime import progress
from pipelines.runtime.runner import keep_all_elements

SAMPLES = 24  # examples on the contact sheet


@dataclass
class ReadPictures(beam.PTransform):
    """Source items → ``StagedPicture`` for each that could be read, and ``Problem`` for what was left out or repaired.

    Attributes:
        source: reads the items, in child processes.
        dataset: the data set that is made.
    """

    source: Source
    dataset: DataSetDescription

    def expand(self, items: beam.PCollection[SourceItem]) -> beam.PCollection[StagedPicture | Problem]:
        keep_all_elements()
        return (
            items
            | "Count" >> beam.Map(progress.count_expected)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_ReadPicturesFn(self.source, self.dataset))
            | "OfItems" >> beam.FlatMap(lambda item: item.found)
        )


class _ReadPicturesFn(StreamFn):
    def __init__(self, source: Source, dataset: DataSetDescription) -> None:
        self._source, self._dataset = source, dataset

    def make_stream(self) -> PictureStream:
        return PictureStream(self._source, self._dataset, shared_pool())


class RemoveDuplicates(beam.PTransform):
    """Staged pictures → one of those with the same bytes, and a ``Problem`` for each of the others."""

    def expand(self, pictures: beam.PCollection[StagedPicture]) -> beam.PCollection[StagedPicture | Problem]:
        return (
            pictures
            | "KeyByDigest" >> beam.Map(lambda picture: (picture.digest, picture))
            | "GroupByDigest" >> beam.GroupByKey()
            | "KeepFirst" >> beam.FlatMapTuple(lambda _, group: keep_first(group))
        )


def keep_first(group: Iterable[StagedPicture]) -> Iterator[StagedPicture | Problem]:
    """Yields the first by name of pictures with the same bytes, and the others as problems."""
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
        dataset: the data set that is made.
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
    """Adds up in place: captions have far too many tokens to copy them for each picture."""

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
    """Pictures → ``ShardFile`` for each shard that is written.

    Attributes:
        dataset: the data set that is made.
        totals: one dict of counts by split, which decides the number of shards.
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
    """Writes a file for each shard without records, as the files' names promise them; returns all shards."""
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
        dataset: the data set that is made.
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
            | "SumNear" >> beam.CombineGlobally(NearDuplicates.sum)  # before Flatten, which would keep all the lists
        )
        return (equal, near) | beam.Flatten() | "Sum" >> beam.CombineGlobally(NearDuplicates.sum)


class ChooseSamples(beam.PTransform):
    """Pictures → one list of staged records, by file and offset: a random choice that is the same in every run."""

    def expand(self, pictures: beam.PCollection[StagedPicture]) -> beam.PCollection[list[tuple[str, int]]]:
        return (
            pictures
            | "OneRecord" >> beam.Map(_sample_record)
            | "Choose" >> beam.combiners.Top.Smallest(SAMPLES)
            | "Places" >> beam.Map(lambda chosen: [place for _, place in chosen])
        )


def _sample_record(picture: StagedPicture) -> tuple[str, tuple[str, int]]:
    """The place of one record of a picture, chosen by the picture's hash, preceded by its sort key."""
    order = sample_order(picture.digest)
    return order, (picture.file, picture.offsets[int(order, 16) % len(picture.offsets)])
