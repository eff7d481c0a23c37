"""TFRecord files as documents: each record is a page."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import BinaryIO

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.documents import DocumentKind
from ocr_models.io.tfrecord import READ_ERRORS, iter_records, record_bytes, unpacked
from pipelines.inputs.page_ranges import PageRange
from pipelines.runtime.storage import open_file


@contextlib.contextmanager
def open_records(uri: str) -> Iterator[BinaryIO]:
    """Opens a TFRecord file, decompressing it if its content is gzipped. Raises StorageError if it can't be opened."""
    with open_file(uri) as file:
        yield unpacked(file)


def is_empty(uri: str) -> bool:
    """Whether a file, gzipped or not, is whole and has no content: a shard without records."""
    try:
        with open_records(uri) as file:
            return not file.read(1)
    except READ_ERRORS:
        return False


def read_records(page_range: PageRange) -> Iterator[bytes]:
    """Yields the serialized SequenceExamples of a range of a TFRecord file's pages.

    Raises:
        DocumentError: with stage "open", if the file can't be opened, or is truncated or damaged.
    """
    is_plain = page_range.document.kind == DocumentKind.TFRECORD
    count = page_range.stop - page_range.start
    with open_records(page_range.document.uri) as file:
        try:
            if is_plain:
                file.seek(page_range.offset)
            skipped = 0 if is_plain else page_range.start
            yield from itertools.islice(iter_records(file), skipped, skipped + count)
        except DocumentError:
            raise
        except READ_ERRORS as error:
            raise DocumentError(Stage.OPEN, f"the file is truncated or damaged ({error})") from error


def record_offsets(uri: str) -> list[int]:
    """Where each record of a TFRecord file begins, in decompressed bytes.

    If the file is truncated or damaged, the broken record counts too, as the last page, which will fail.

    Raises:
        DocumentError: with stage "open", if there is no complete record.
    """
    offsets = [0]
    with open_records(uri) as file:
        try:
            for payload in iter_records(file):
                offsets.append(offsets[-1] + record_bytes(payload))
        except READ_ERRORS as error:
            if len(offsets) == 1:
                raise DocumentError(Stage.OPEN, f"the file holds no complete TFRecord ({error})") from error
            return offsets
    if len(offsets) == 1:
        raise DocumentError(Stage.OPEN, "the TFRecord file has no records")
    return offsets[:-1]
