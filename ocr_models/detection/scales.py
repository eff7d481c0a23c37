"""The scale at which the detector sees a page, in reading and, approximately, in training."""

from __future__ import annotations

import math

# The detector is trained on pages at about 100 dpi: letter and A4 pages have a long side of 1100 to 1170 pixels there.
LONG_SIDE_PX, SHORT_SIDE_PX = 1130, 800
_STRIP_RATIO = 4.0  # a longer picture, such as a receipt, is scaled by its short side
_MAX_SEEN_PX = 3400 * 2600  # the largest number of pixels that the detector sees at once
# Text heights in pixels seen by the detector: the limits within which one look is enough, and the aim of a second look.
_MIN_TEXT_PX, _MAX_TEXT_PX, _GOOD_TEXT_PX = 8.5, 40.0, 14.0


def first_scale(height: int, width: int) -> float:
    """Pixels that the detector sees per pixel of a page of this size, before the size of its text is known."""
    short_side, long_side = sorted((height, width))
    is_strip = long_side > _STRIP_RATIO * short_side
    return min(1.0, SHORT_SIDE_PX / short_side if is_strip else LONG_SIDE_PX / long_side, _largest(height, width))


def scale_for_text(scale: float, text_px: float, height: int, width: int) -> float:
    """The scale for a second look if text of ``text_px`` pixels on the page was seen too small or too large.

    Args:
        scale: of the first look.
        text_px: typical height of the page's text, in pixels of the page; 0 if there is none.
        height: of the page in pixels.
        width: of the page in pixels.

    Returns:
        ``scale`` itself if the first look was good enough.
    """
    if not text_px or _MIN_TEXT_PX <= text_px * scale <= _MAX_TEXT_PX:
        return scale
    return min(_GOOD_TEXT_PX / text_px, 2.0, _largest(height, width))


def _largest(height: int, width: int) -> float:
    return math.sqrt(_MAX_SEEN_PX / (height * width))
