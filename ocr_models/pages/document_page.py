"""A page of a local document that was read."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocr_models.errors import DocumentError
from ocr_models.io.documents import DocumentKind, page_renderer
from ocr_models.io.images import ColorMode
from ocr_models.records import OcrPage
from ocr_models.reports.visualization import draw_words

_SHOWN_PX = 1200  # the height of a page in a notebook; its letters can then be read


@dataclass(frozen=True, kw_only=True)
class DocumentPage(OcrPage):
    """A page, and where it is: a notebook shows it as a picture, for which it is decoded again.

    Attributes:
        path: the local file.
        kind: its kind.
        index: of the page, from 0.
        dpi: resolution at which a PDF was rendered.
    """

    path: str
    kind: DocumentKind
    index: int
    dpi: float

    def draw(self, longest_px: int | None = None) -> np.ndarray:
        """Draws the words on the page, in colors of their confidences, and beside it what was read.

        Args:
            longest_px: the height or width of the page at most; None for its own.

        Returns:
            uint8 (H, 2 W + 10, 3), RGB.

        Raises:
            DocumentError: the file is gone, or the page can't be decoded any more.
        """
        pixels = page_renderer(self.path, self.kind, self.dpi, ColorMode.RGB)(self.index).pixels
        quads = np.array([word.quad for word in self.words], np.float32)
        texts, confidences = [word.text for word in self.words], [word.confidence for word in self.words]
        return draw_words(pixels, quads, texts, confidences, longest_px)

    def _repr_png_(self) -> bytes | None:
        """For notebooks: the page with its words; None, for which they show the text of ``repr``, if it is gone."""
        try:
            return cv2.imencode(".png", self.draw(_SHOWN_PX)[..., ::-1])[1].tobytes()
        except DocumentError:
            return None
