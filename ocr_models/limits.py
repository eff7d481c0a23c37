"""Limits for what a document may cost. The options of ``pagebeam run`` set them, and errors name those options."""

from __future__ import annotations

from dataclasses import dataclass

from ocr_models.errors import DocumentError, Stage

MEGABYTE = 1 << 20
LEAST_MEMORY_BYTES = 512 * MEGABYTE
"""A decoder's libraries alone take about 200 MB of address space."""


@dataclass(frozen=True)
class DecodeLimits:
    """Limits for decoding. What exceeds one of them becomes a failed row that names it.

    Attributes:
        time_s: seconds for opening a document and for decoding a page; then the decoder is considered hung.
        memory_bytes: address space of a decoder process.
        document_bytes: size of a document. Larger ones are refused before they are read to their end.
        pages: pages of a TIFF or PDF, whose header can claim any number of them. The longest books and microfilm reels
            have about 3,000.
        page_pixels: pixels of a page. An A0 sheet at 200 dpi has 62 million.
    """

    time_s: float = 60.0
    memory_bytes: int = 2048 * MEGABYTE
    document_bytes: int = 4096 * MEGABYTE
    pages: int = 5000
    page_pixels: int = 100_000_000


def over_limit(stage: Stage, what: str, option: str, remedy: str = "") -> DocumentError:
    """The error for exceeding a limit.

    Args:
        stage: where it was found.
        what: what exceeds which limit.
        option: the option of ``pagebeam run`` that raises the limit.
        remedy: what else helps, such as "scale the image down".
    """
    return DocumentError(stage, f"{what}; {remedy and f'{remedy}, or '}raise the limit with {option} of pagebeam run")
