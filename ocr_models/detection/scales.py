"""The scale at which the detector sees a page, in reading and, approximately, in training."""

from __future__ import annotations

import math

# The detector is trained on pages at about 100 dpi: letter and A4 pages have a long side of 1100 to 1170 pixels there.
LONG_SIDE_PX, SHORT_SIDE_PX = 1130, 800
_STRIP_RATIO = 4.0  # a longer picture, such as a receipt, is scaled by its short side
_MAX_SEEN_PX = 3400 * 2600  # the largest number of pixels that the detector sees at once
_ONE_LOOK_PX, _TILE_PX = 2000, 1600  # the longest side of what the detector sees at once, and of tiles of larger pages
SHEET_SCALE = 0.5  # for text of usual size on sheets of 200 dpi
# Text heights in pixels seen by the detector: the limits within which one look is enough, and the aim of a second look.
_MIN_TEXT_PX, LARGEST_TEXT_PX, _GOOD_TEXT_PX = 8.5, 40.0, 14.0


def first_scale(height: int, width: int) -> float:
    """Pixels that the detector sees per pixel of a page of this size, before the size of its text is known."""
    short_side, long_side = sorted((height, width))
    is_strip = long_side > _STRIP_RATIO * short_side
    return min(1.0, SHORT_SIDE_PX / short_side if is_strip else LONG_SIDE_PX / long_side, largest_scale(height, width))


def scale_for_text(scale: float, text_px: float) -> float:
    """The scale for a second look if text of ``text_px`` pixels on the page was seen too small or too large.

    Args:
        scale: of the first look.
        text_px: typical height of the page's text, in pixels of the page; 0 if there is none.

    Returns:
        ``scale`` itself if the first look was good enough.
    """
    if not text_px or _MIN_TEXT_PX <= text_px * scale <= LARGEST_TEXT_PX:
        return scale
    return min(_GOOD_TEXT_PX / text_px, 2.0)


def largest_scale(height: int, width: int) -> float:
    """The largest scale at which the detector sees a page of this size at once."""
    return math.sqrt(_MAX_SEEN_PX / (height * width))


def tile_sides(scale: float, height: int, width: int) -> tuple[int, int]:
    """Height and width, in pixels of the page, of the tiles in which a page is seen; its own if one look is enough."""
    rows, columns = (
        1 if side * scale <= _ONE_LOOK_PX else math.ceil(side * scale / _TILE_PX) for side in (height, width)
    )
    return math.ceil(height / rows), math.ceil(width / columns)


def sheet_sample(height: int, width: int) -> tuple[slice, slice] | None:
    """The middle of a sheet that is so large that its text may be too small to be seen at first; None for a page.

    Text is seen there at ``SHEET_SCALE``.
    """
    if first_scale(height, width) >= SHEET_SCALE / 2:
        return None
    sides = ((side, min(side, round(_TILE_PX / SHEET_SCALE))) for side in (height, width))
    rows, columns = (slice((side - part) // 2, (side + part) // 2) for side, part in sides)
    return rows, columns
