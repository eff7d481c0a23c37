"""The ink of a PDF page: what the rendering shows of its text, and what else there is.

A text layer also lists text that nobody sees: in a layer that is switched off, invisible, clipped, off the page, in the
color of its ground, or covered. Its ink is what the rendering loses when its text objects are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image

from ocr_models.io.pdfium_calls import activate_object, page_objects

_COMPARED = 400  # boxes of which all pairs are compared
_MAX_LAYERS = 4  # renderings a page may cost; text printed over text, as in a PDF of two languages, needs two
_MIN_EDGE = 24  # gray levels between neighbors in the small rendering: strokes of 6-point text have 60
_RULE_PX = 48  # edges that are as long, and upright, are of rules, frames and fills, not of letters below 66 points
_CROSSING_PX = 2  # half of the width of a rule that crosses them
_CELL_PX, _MIN_DENSITY = 4, 0.25  # share of the pixels of three by three cells that are strokes
_LONG_PX = 6  # words
_MARGIN_PX = 2  # around words, for the blur of the small rendering
_SMALL_DPI, _DRAWING_DPI = 72, 50  # the latter as on a page of 200 dpi at a quarter of its size
_LEAST_UPRIGHT_PX = 18  # in one column of pixels, from which on it may hold a rule beside two lines of text
_OVERLAP = 0.3  # objects of one line touch; the text of another layer lies over its whole length


def render_gray(page: pdfium.PdfPage, scale: float) -> np.ndarray:
    """The page, uint8 (H, W), at ``scale`` pixels per point."""
    image = page.render(scale=scale, grayscale=True).to_numpy()
    return np.ascontiguousarray(image[..., 0] if image.ndim == 3 else image)


def text_ink(
    page: pdfium.PdfPage, scale: float, image: np.ndarray, boxes: Mapping[int, np.ndarray]
) -> tuple[dict[int, int], list[np.ndarray], np.ndarray]:
    """The ink of text objects, in layers, so that none of a layer lies over another one.

    Args:
        page: is left as it was.
        scale: pixels per point.
        image: the page at this scale.
        boxes: of the objects by address: (left, top, right, bottom), pixels.

    Returns:
        The layer of each object; for each layer uint8 (H, W), by how many gray levels it changes the page; and the page
        without text, uint8 (H, W).
    """
    layers = _layers(boxes, image.shape)
    objects = page_objects(page, [raw.FPDF_PAGEOBJ_TEXT])
    ground = _render_without(page, scale, objects)
    count = max(layers.values(), default=0) + 1
    if count == 1:
        return layers, [_difference(image, ground)], ground
    inks = []
    for layer in range(count):
        others = [address for address in objects if layers.get(address) != layer]
        inks.append(_difference(_render_without(page, scale, others), ground))
    return layers, inks, ground


def shrink_drawing(ground: np.ndarray) -> np.ndarray | None:
    """Shrinks the small rendering of a page without text so that the rules of tables can be searched in it.

    Args:
        ground: uint8 (H, W), at 72 dpi or somewhat less.

    Returns:
        uint8 (h, w), at 50/72 of its size; None if no upright rule can be on it.
    """
    steps = _difference(ground[:, 1:], ground[:, :-1])
    if np.count_nonzero(steps >= _MIN_EDGE, axis=0).max(initial=0) < _LEAST_UPRIGHT_PX:
        return None
    height, width = (max(1, round(side * _DRAWING_DPI / _SMALL_DPI)) for side in ground.shape)
    return np.asarray(Image.fromarray(ground).resize((width, height), Image.Resampling.BOX))


def _layers(boxes: Mapping[int, np.ndarray], shape: Sequence[int]) -> dict[int, int]:
    """Puts each object into the first layer that has room for it."""
    taken: list[np.ndarray] = []
    layers = {}
    first, last = np.split(np.round(np.reshape([*boxes.values()], (-1, 4))).astype(int).clip(0), 2, axis=1)
    places = np.hstack([first, np.maximum(last, first + 1)]).clip(max=np.tile(shape[1::-1], 2))
    if len(boxes) <= _COMPARED and not _overlap(places):
        return dict.fromkeys(boxes, 0)
    for address, (x0, y0, x1, y1) in zip(boxes, places.tolist(), strict=True):
        place, most = (slice(y0, y1), slice(x0, x1)), _OVERLAP * (x1 - x0) * (y1 - y0)
        layer = next((i for i, full in enumerate(taken) if np.count_nonzero(full[place]) <= most), len(taken))
        if layer == _MAX_LAYERS:
            layer -= 1
        elif layer == len(taken):
            taken.append(np.zeros(shape, bool))
        layers[address] = layer
        taken[layer][place] = True
    return layers


def _overlap(places: np.ndarray) -> bool:
    """Whether any of boxes, int (N, 4), may lie more than so much over those before it."""
    x0, y0, x1, y1 = places.T
    width, height = (
        np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0),
        np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0),
    )
    shared = np.tril(width.clip(min=0) * height.clip(min=0), -1).sum(axis=1)
    return bool((shared > _OVERLAP * (x1 - x0) * (y1 - y0)).any())


def _render_without(page: pdfium.PdfPage, scale: float, objects: Sequence[int]) -> np.ndarray:
    for address in objects:
        activate_object(address, False)
    try:
        return render_gray(page, scale)
    finally:
        for address in objects:
            activate_object(address, True)


def _difference(image: np.ndarray, ground: np.ndarray) -> np.ndarray:
    larger = np.maximum(image, ground)
    larger -= np.minimum(image, ground)
    return larger


def are_inked(ink: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Bool (N,): whether there is ink, bool (H, W), in each of N boxes; in both halves of one that is long."""
    found = np.zeros(len(boxes), bool)
    pixels, width = ink.tobytes(), ink.shape[1]
    for i, (x0, y0, x1, y1) in enumerate(_slices(boxes, ink.shape, 0).tolist()):
        if max(x1 - x0, y1 - y0) < _LONG_PX:  # PDFium puts small glyphs on whole pixels, so that a dot may lie beside
            is_on_page = x1 > x0 and y1 > y0
            found[i] = is_on_page and _has_ink(
                pixels, width, max(0, x0 - 1), max(0, y0 - 1), min(width, x1 + 1), min(len(ink), y1 + 1)
            )
        elif x1 - x0 >= y1 - y0:
            middle = (x0 + x1) // 2
            found[i] = _has_ink(pixels, width, x0, y0, middle, y1) and _has_ink(pixels, width, middle, y0, x1, y1)
        else:
            middle = (y0 + y1) // 2
            found[i] = _has_ink(pixels, width, x0, y0, x1, middle) and _has_ink(pixels, width, x0, middle, x1, y1)
    return found


def _has_ink(pixels: bytes, width: int, x0: int, y0: int, x1: int, y1: int) -> bool:
    """Whether a byte within a box is 1, of rows of this width. Most words have ink in their middle rows."""
    middle = (y0 + y1) // 2
    for rows in (range(middle, y1), range(y0, middle)):
        for y in rows:
            if pixels.find(1, y * width + x0, y * width + x1) >= 0:
                return True
    return False


def _slices(boxes: np.ndarray, shape: Sequence[int], margin: int) -> np.ndarray:
    """The pixels, int (N, 4), that boxes touch on a picture, with a margin: the first and the one after the last."""
    limits = np.array([shape[1], shape[0], shape[1], shape[0]])
    outward = np.hstack([np.floor(boxes[:, :2]) - margin, np.ceil(boxes[:, 2:]) + margin])
    return np.clip(outward, 0, limits).astype(int)


def is_ink_covered(image: np.ndarray, boxes: np.ndarray, is_enough: Callable[[int, int], bool]) -> bool:
    """Whether boxes (N, 4) cover enough of the ink of a page, uint8 (H, W).

    Ink is counted as pixels of upright edges, of which text is full. Outside of the boxes, those of rules, frames and
    fills and those of line drawings don't count.

    Args:
        image: the page, at 72 dpi or somewhat less.
        boxes: of words, pixels.
        is_enough: tells it from the pixels that are covered, and those that are not, of which fewer are never worse.
    """
    edges = np.empty(image.shape, bool)
    pixels = image.ravel()
    np.greater_equal(_difference(pixels[1:], pixels[:-1]), _MIN_EDGE, out=edges.ravel()[1:])
    edges[:, 0] = False
    total = int(np.count_nonzero(edges))
    for x0, y0, x1, y1 in _slices(boxes, image.shape, _MARGIN_PX).tolist():
        edges[y0:y1, x0:x1] = False
    uncovered = int(np.count_nonzero(edges))
    covered = total - uncovered
    if is_enough(covered, uncovered):  # as on most pages, before rules and drawings are looked for
        return True
    edges &= ~_long_runs(edges)
    return is_enough(covered, int(np.count_nonzero(edges & _are_dense(edges))))


def _long_runs(edges: np.ndarray) -> np.ndarray:
    """The pixels in vertical runs of ``_RULE_PX`` and more, which rules that cross them may interrupt."""
    joined = edges.copy()
    for gap in range(1, _CROSSING_PX + 1):
        joined[gap:-gap] |= edges[: -2 * gap] & edges[2 * gap :]
    core, length = joined, 1
    while length < _RULE_PX:  # the lower ends of runs of a length that doubles
        step = min(length, _RULE_PX - length)
        core = core[step:] & core[:-step]
        length += step
    runs = np.zeros_like(edges)
    runs[: len(core)], length = core, 1
    while length < _RULE_PX:
        step = min(length, _RULE_PX - length)
        runs[step:] |= runs[:-step].copy()
        length += step
    return runs


def _are_dense(strokes: np.ndarray) -> np.ndarray:
    """Bool (H, W): where the strokes around are as dense as those of text; lines of drawings are not."""
    height, width = (-(-side // _CELL_PX) for side in strokes.shape)
    padded = np.zeros((height * _CELL_PX, width * _CELL_PX), np.uint8)
    padded[: strokes.shape[0], : strokes.shape[1]] = strokes
    cells = np.pad(padded.reshape(height, _CELL_PX, width, _CELL_PX).sum(axis=(1, 3), dtype=np.int32), 1)
    rows = cells[:-2] + cells[1:-1] + cells[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    dense = around >= _MIN_DENSITY * (3 * _CELL_PX) ** 2
    return dense.repeat(_CELL_PX, axis=0).repeat(_CELL_PX, axis=1)[: strokes.shape[0], : strokes.shape[1]]
