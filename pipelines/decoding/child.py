"""The child process that decodes pages for ``pipelines.decoding.pool``.

Native decoders meet untrusted files here. If one crashes, hangs or needs too much memory, this process dies instead of
the run. It imports neither Beam nor TensorFlow, so it starts quickly and stays small.
"""

from __future__ import annotations

import functools
import json
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from ocr_models.data.pdf_pages import count_pdf_pages
from ocr_models.errors import DocumentError, Stage
from ocr_models.io import documents, images
from ocr_models.io.documents import DocumentKind
from ocr_models.io.hashing import FileState, check_unchanged
from ocr_models.io.images import ColorMode, PageImage
from ocr_models.io.text_layer import TextLayer, page_decoder
from ocr_models.limits import DecodeLimits, over_limit
from ocr_models.records import TextLayerUse
from pipelines.decoding import messages

OPEN_DOCUMENTS = 4
READY = "ready"
ALARM_DELAY_S = 10  # after the time limit, at which the parent kills a child unless it was killed itself
OWN_MEMORY_BYTES = 200 << 20  # address space of a child that has decoded nothing yet
MEMORY_OPTION = "--max-memory-mb"


class Request(Protocol):
    """A question about a document. Other modules may define requests if they import as little as this one.

    Attributes:
        stage: stage of the failure if the document crashes the child or takes too long.
    """

    @property
    def stage(self) -> Stage: ...

    def answer(self) -> Any:
        """Runs in the child. Raises DocumentError for a bad document."""


@dataclass(frozen=True)
class CountPages:
    """Asks for the number of pages of a local document."""

    path: str
    kind: DocumentKind
    max_pages: int = DecodeLimits.pages
    stage = Stage.OPEN

    def answer(self) -> int:
        return documents.count_pages(self.path, self.kind, self.max_pages)


@dataclass(frozen=True)
class CountPdfPages:
    """Asks for the number of pages of a labelled source's local PDF, gzipped or not."""

    path: str
    stage = Stage.OPEN

    def answer(self) -> int:
        return count_pdf_pages(Path(self.path))


@dataclass(frozen=True)
class RenderPage:
    """Asks for the pixels of one page of a local document that has this ``sha256``; None for whatever is there.

    ``text_layer`` says which pages of PDFs come as their text layers instead.
    """

    path: str
    sha256: str | None
    kind: DocumentKind
    page_index: int
    dpi: float
    color_mode: ColorMode = ColorMode.GRAY
    text_layer: TextLayerUse = TextLayerUse.NEVER
    stage = Stage.RENDER

    def answer(self) -> PageImage | TextLayer:
        content = self.sha256, check_unchanged(self.path, self.sha256)
        try:
            how = self.kind, self.dpi, self.color_mode, self.text_layer
            return _page_decoder(self.path, content, *how)(self.page_index)
        finally:  # what was read while the file changed, or why that failed, means nothing
            check_unchanged(self.path, self.sha256)


@dataclass(frozen=True)
class Answer:
    """The response to a request: a value or an error, and the time it took."""

    value: Any
    error: tuple[Stage, str] | None  # the stage and message of a DocumentError
    elapsed_ms: float


@functools.lru_cache(OPEN_DOCUMENTS)
def _page_decoder(
    path: str,
    content: tuple[str | None, FileState],
    kind: DocumentKind,
    dpi: float,
    color_mode: ColorMode,
    text_layer: TextLayerUse,
) -> Callable[[int], PageImage | TextLayer]:
    """Keeps the last documents open, because their pages are usually requested one after the other."""
    return page_decoder(path, kind, dpi, color_mode, text_layer)


def serve(connection: Connection, time_limit_s: float) -> None:
    """Answers requests until the other side closes the connection.

    If a request takes much longer than the time limit, SIGALRM ends the process, even within native code: then its
    parent, which would have ended it earlier, is gone.
    """
    while True:
        try:
            request = messages.receive(connection)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, time_limit_s + ALARM_DELAY_S)
        response = answer(request)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            messages.send(connection, response)
        except MemoryError:  # nothing of it has been sent yet
            messages.send(connection, Answer(None, _too_much_memory(request), response.elapsed_ms))


def answer(request: Request) -> Answer:
    """Answers one request; an exception of any kind becomes the answer's error."""
    start = time.perf_counter()
    value: Any = None
    error: tuple[Stage, str] | None = None
    try:
        value = request.answer()
    except DocumentError as document_error:
        error = document_error.stage, str(document_error)
    except MemoryError:
        error = _too_much_memory(request)
    except Exception as unforeseen:
        error = request.stage, f"{type(unforeseen).__name__}: {unforeseen}"
    return Answer(value, error, (time.perf_counter() - start) * 1000)


def _too_much_memory(request: Request) -> tuple[Stage, str]:
    error = over_limit(request.stage, "decoding takes more memory than is allowed for a page", MEMORY_OPTION)
    return error.stage, str(error)


def main() -> None:
    """Serves a connection. The arguments are its file descriptor and the fields of ``DecodeLimits`` as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, too, which ends this process
    limits = DecodeLimits(**json.loads(sys.argv[2]))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked page by page, so one page of a TIFF may fail alone
    images.MAX_PAGE_PIXELS = limits.page_pixels
    documents.max_image_bytes = limits.memory_bytes - OWN_MEMORY_BYTES
    connection = Connection(int(sys.argv[1]))
    messages.send(connection, READY)
    serve(connection, limits.time_s)
