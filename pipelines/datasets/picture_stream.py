"""From the items of a labelled source to staged records, while the next items are read. It doesn't use Beam."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ocr_models.data.sources.source import RejectedPicture, Source, SourceItem
from ocr_models.errors import DocumentError, Stage
from ocr_models.io.files import open_regular
from pipelines.datasets.dataset_json import DataSetDescription
from pipelines.datasets.prepared_picture import PreparedPicture, PrepareItem
from pipelines.datasets.shard_files import MAX_QUARANTINED_BYTES, Problem, quarantine
from pipelines.datasets.staging import StagedPicture, StagingFile
from pipelines.decoding.child import Answer
from pipelines.decoding.pool import DecodePool
from pipelines.decoding.stream import DecodeStream, Done, Submission
from pipelines.inputs.local_copies import local_copy

AHEAD = 32  # items that are queued or read before they are written


@dataclass(frozen=True)
class StagedItem:
    """The result of an item: its staged pictures and its problems, and whether a picture was rejected."""

    found: tuple[StagedPicture | Problem, ...]
    has_rejected: bool


class PictureStream(DecodeStream[SourceItem, SourceItem, StagedItem]):
    """Reads items and writes their records to one staging file.

    Args:
        source: reads the items.
        dataset: the data set that is made.
        pool: the decoders.
    """

    def __init__(self, source: Source, dataset: DataSetDescription, pool: DecodePool) -> None:
        super().__init__(pool, AHEAD)
        self._source, self._dataset = source, dataset
        self._staging = StagingFile(dataset.output)

    def finish(self) -> Iterator[StagedItem]:
        yield from super().finish()
        self._staging.close()

    def submissions(self, item: SourceItem) -> Iterator[Submission[SourceItem] | Done[StagedItem]]:
        try:
            file = local_copy(item.path, self._dataset.fingerprint.sha256) if item.path else None
        except DocumentError as error:
            yield Done(self._keep([RejectedPicture(item.name, error.stage, str(error))]))
            return
        yield Submission(item, PrepareItem(self._source, item, file.name if file else None), file)

    def decoded(self, submission: Submission[SourceItem], answer: Answer) -> list[StagedItem]:
        return [self._keep(answer.value.pictures)]

    def undecoded(self, submission: Submission[SourceItem], error: DocumentError) -> StagedItem:
        """Rejects a whole item, for example one that crashed its decoder; all of its pictures are lost."""
        data = _read_small(submission.file.name) if submission.file else None
        return self._keep([RejectedPicture(submission.key.name, error.stage, str(error), data)])

    def status_of(self, item: StagedItem) -> str:
        return "failed" if item.has_rejected else "ok"

    def _keep(self, pictures: Iterable[PreparedPicture | RejectedPicture]) -> StagedItem:
        found: list[StagedPicture | Problem] = []
        has_rejected = False
        for picture in pictures:
            if isinstance(picture, RejectedPicture):
                found.append(self._reject(picture))
                has_rejected = True
            else:
                found += self._stage(picture)
        return StagedItem(tuple(found), has_rejected)

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
            yield Problem(picture.name, "picture", Stage.LABEL, "none of its labels can be used")


def _read_small(path: str) -> bytes | None:
    """The bytes of a local file; None if it is missing or too large to be kept."""
    try:
        with open_regular(path) as file:
            data = file.read(MAX_QUARANTINED_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MAX_QUARANTINED_BYTES else None
