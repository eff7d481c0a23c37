"""Pictures of pages for a report, decoded again from their documents."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image

from ocr_models.errors import DocumentError, Stage
from ocr_models.io.images import ColorMode, PageImage
from pipelines.decoding.child import Answer, RenderPage
from pipelines.decoding.file_requests import DecodeRecord
from pipelines.decoding.pool import shared_pool
from pipelines.decoding.stream import DecodeStream, Done, Submission
from pipelines.inputs.discovery import FoundFile
from pipelines.inputs.documents import open_document, page_requests
from pipelines.inputs.page_ranges import PageRange

COLUMNS = ("page_id", "source_uri", "also_at", "source_sha256", "page_index", "width_px", "height_px", "dpi")
"""What must be known of a page to draw it."""
_LONGEST_PX = 1600  # letters of 8 points on a page of 11 inches are then 16 pixels high, which a person can read
_QUALITY, _METHOD = 50, 2  # a page of text has some 70 kB, and takes 40 ms
_AHEAD = 16
_CHANGED = "the document changed since it was read; run pagebeam run on it again"


@dataclass(frozen=True)
class PagePicture:
    """A page, or why there is no picture of it.

    Attributes:
        page_id: the page.
        data: a WebP; None if there is none.
        error: why there is none; None if there is one.
    """

    page_id: str
    data: bytes | None = None
    error: str | None = None


@dataclass(frozen=True)
class EncodedImage:
    """The bytes of an image file."""

    data: bytes

    @property
    def nbytes(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class EncodePage:
    """Asks a decoding child process for a page, shrunk and encoded, so that few bytes leave it."""

    request: RenderPage | DecodeRecord

    @property
    def stage(self) -> Stage:
        return self.request.stage

    def answer(self) -> EncodedImage:
        page = self.request.answer()
        assert isinstance(page, PageImage)  # a text layer isn't asked for
        picture = Image.fromarray(page.pixels)
        picture.thumbnail((_LONGEST_PX, _LONGEST_PX))
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=_QUALITY, method=_METHOD)
        return EncodedImage(file.getvalue())


def draw_pages(pages: Iterable[dict[str, Any]]) -> Iterator[PagePicture]:
    """Draws pages from their documents, as long as those have the bytes that were read.

    Args:
        pages: rows with the columns ``COLUMNS``, sorted by document and page.

    Yields:
        For each page its picture or the reason why there is none; of one document in the order of its pages.
    """
    stream = _PictureStream()
    for _, of_document in itertools.groupby(pages, key=lambda page: (page["source_uri"], page["source_sha256"])):
        yield from stream.add(list(of_document))
    yield from stream.finish()


class _PictureStream(DecodeStream[list[dict[str, Any]], str, PagePicture]):
    """Pages of one document, as rows, → their pictures."""

    def __init__(self) -> None:
        super().__init__(shared_pool(), _AHEAD)

    def submissions(self, pages: list[dict[str, Any]]) -> Iterator[Submission[str] | Done[PagePicture]]:
        waiting = {page["page_index"]: page["page_id"] for page in pages}
        scale = max(min(_LONGEST_PX / max(page["width_px"], page["height_px"]), 1.0) for page in pages)
        dpi = scale * max((page["dpi"] or 0 for page in pages), default=0)
        reason = _CHANGED
        try:
            for page_range in _find(pages[0], tuple(waiting)):
                for index, request, file in page_requests(page_range, dpi, ColorMode.RGB):
                    yield Submission(waiting.pop(index), EncodePage(request), file)
        except DocumentError as error:
            reason = str(error)
        for page_id in waiting.values():
            yield Done(PagePicture(page_id, error=reason))

    def decoded(self, submission: Submission[str], answer: Answer) -> list[PagePicture]:
        return [PagePicture(submission.key, answer.value.data)]

    def undecoded(self, submission: Submission[str], error: DocumentError) -> PagePicture:
        return PagePicture(submission.key, error=str(error))

    def status_of(self, picture: PagePicture) -> str:
        return "failed" if picture.error else "ok"


def _find(page: dict[str, Any], indices: tuple[int, ...]) -> list[PageRange]:
    """The ranges of pages of a document, at the first of its places that has the bytes that were read.

    Raises:
        DocumentError: it can't be opened at any; the error is that of its first place.
    """
    errors = []
    for uri in (page["source_uri"], *(page["also_at"] or ())):
        ranges = []
        for page_range in open_document(FoundFile(uri), shared_pool(), {page["source_sha256"]: indices}):
            document = page_range.document
            if document.error or document.sha256 != page["source_sha256"]:
                errors.append(document.error or _CHANGED)
                break
            ranges.append(page_range)
        else:
            return ranges
    raise DocumentError(Stage.OPEN, errors[0])
