"""The child process that decodes pages for ``pipelines.decoding.pool``.

Native decoders meet hostile files here. When one crashes, hangs or wants too much memory, this process dies instead of
the run. It imports neither Beam nor TensorFlow, so it starts quickly and stays small.
"""

from __future__ import annotations

import functools
import os
import resource
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
from ocr_models.io.images import ColorMode, PageImage
from ocr_models.io.sequence_example import page_image_bytes

OPEN_DOCUMENTS = 4
READY = "ready"


class Request(Protocol):
    """A question about a document; classes of them may live in other modules, as light as this one.

    Attributes:
        stage: where a document fails that crashes the child or takes too long.
    """

    @property
    def stage(self) -> Stage: ...

    def answer(self) -> Any:
        """Runs in the child; raises DocumentError for a bad document."""


@dataclass(frozen=True)
class CountPages:
    """Asks for the number of pages of a local document."""

    path: str
    kind: DocumentKind
    stage = Stage.OPEN

    def answer(self) -> int:
        return documents.count_pages(self.path, self.kind)


@dataclass(frozen=True)
class CountPdfPages:
    """Asks for the number of pages of a local PDF of a labelled source, which may be gzipped."""

    path: str
    stage = Stage.OPEN

    def answer(self) -> int:
        return count_pdf_pages(Path(self.path))


@dataclass(frozen=True)
class RenderPage:
    """Asks for the pixels of one page of a local document; ``sha256`` tells it from what was there earlier."""

    path: str
    sha256: str | None
    kind: DocumentKind
    page_index: int
    dpi: float
    color_mode: ColorMode = ColorMode.GRAY
    stage = Stage.RENDER

    def answer(self) -> PageImage:
        return _page_renderer(self.path, self.sha256, self.kind, self.dpi, self.color_mode)(self.page_index)


@dataclass(frozen=True)
class DecodeRecord:
    """Asks for the pixels of the image in a serialized SequenceExample."""

    sequence_example: bytes
    color_mode: ColorMode = ColorMode.GRAY
    stage = Stage.DECODE

    def answer(self) -> PageImage:
        return images.decode_image(page_image_bytes(self.sequence_example), self.color_mode)


@dataclass(frozen=True)
class Answer:
    """What comes back for a request: a value, or a DocumentError; and how long that took."""

    value: Any
    error: tuple[Stage, str] | None  # where it failed, and why
    elapsed_ms: float


@functools.lru_cache(OPEN_DOCUMENTS)
def _page_renderer(
    path: str, sha256: str | None, kind: DocumentKind, dpi: float, color_mode: ColorMode
) -> Callable[[int], PageImage]:
    """Keeps the last documents open, as their pages are mostly asked for one after the other."""
    return documents.page_renderer(path, kind, dpi, color_mode)


def serve(connection: Connection) -> None:
    """Answers requests until the other side hangs up."""
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        connection.send(answer(request))


def answer(request: Request) -> Answer:
    """Answers one request; whatever its document does to the decoder becomes the answer's error."""
    start = time.perf_counter()
    value: Any = None
    error: tuple[Stage, str] | None = None
    try:
        value = request.answer()
    except DocumentError as document_error:
        error = document_error.stage, str(document_error)
    except MemoryError:
        error = request.stage, "decoding takes more memory than a page is allowed"
    except Exception as unforeseen:
        error = request.stage, f"{type(unforeseen).__name__}: {unforeseen}"
    return Answer(value, error, (time.perf_counter() - start) * 1000)


def main() -> None:
    """Serves the connection whose file descriptor is the first argument, within the bytes that are the second."""
    memory_limit_bytes = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
    Image.MAX_IMAGE_PIXELS = None  # our own limit counts page by page: one page of a TIFF may fail alone
    connection = Connection(int(sys.argv[1]))
    connection.send(READY)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # decoders talk about every flaw of a file
    serve(connection)
