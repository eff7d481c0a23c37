"""Opens documents: hashes them, detects their kind, counts their pages and splits them into ranges."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ocr_models.errors import DocumentError
from ocr_models.io.documents import HEAD_BYTES, DocumentKind, sniff_kind
from pipelines.decoding.child import CountPages
from pipelines.decoding.pool import DecodePool
from pipelines.inputs.local_copies import local_copy
from pipelines.inputs.page_ranges import Document, PageRange, split_pages
from pipelines.inputs.record_files import record_offsets
from pipelines.runtime.storage import hash_file


def open_document(uri: str, pool: DecodePool) -> Iterator[PageRange]:
    """Yields the page ranges of a document; one that can't be opened yields an empty range with the error.

    Args:
        uri: the document.
        pool: counts the pages of TIFFs and PDFs; its limits are those of the document.
    """
    sha256, start = None, time.perf_counter()
    try:
        digest = hash_file(uri, HEAD_BYTES, pool.limits.document_bytes)
        sha256, kind = digest.sha256, sniff_kind(digest.head)
        if kind in (DocumentKind.TFRECORD, DocumentKind.GZIP_TFRECORD):
            offsets = record_offsets(uri)
            yield from split_pages(Document(uri, sha256, kind, len(offsets)), offsets)
        else:
            page_count = 1
            if kind != DocumentKind.IMAGE:  # an image is checked when it is decoded
                file = local_copy(uri, sha256)
                page_count = pool.submit(CountPages(file.name, kind, pool.limits.pages)).result().value
            yield from split_pages(Document(uri, sha256, kind, page_count), [0] * page_count)
    except DocumentError as error:
        elapsed_ms = (time.perf_counter() - start) * 1000
        yield PageRange(Document(uri, sha256, error=str(error), elapsed_ms=elapsed_ms), 0, 0)
