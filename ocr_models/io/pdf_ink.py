"""The ink of a PDF page's text: what the rendering shows of it.

A text layer also lists text that nobody sees: in a layer that is switched off, invisible, clipped, off the page, in the
color of its ground, or covered. Its ink is what the rendering loses when its text objects are left out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

_MAX_LAYERS = 4  # renderings a page may cost; text printed over text, as in a PDF of two languages, needs two
_OVERLAP = 0.3  # objects of one line touch; the text of another layer lies over its whole length
_MAX_DEPTH = 15  # of forms within forms, as pypdfium2 has it


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
    objects = {address_of(item): item for item in _text_objects(page)}
    ground = _render_without(page, scale, list(objects.values()))
    count = max(layers.values(), default=0) + 1
    if count == 1:
        return layers, [_difference(image, ground)], ground
    inks = []
    for layer in range(count):
        others = [item for address, item in objects.items() if layers.get(address) != layer]
        inks.append(_difference(_render_without(page, scale, others), ground))
    return layers, inks, ground


def address_of(item: raw.FPDF_PAGEOBJECT) -> int:
    """Identifies an object of a page; 0 if there is none."""
    return ctypes.cast(item, ctypes.c_void_p).value or 0


def _layers(boxes: Mapping[int, np.ndarray], shape: Sequence[int]) -> dict[int, int]:
    """Puts each object into the first layer that has room for it."""
    taken: list[np.ndarray] = []
    layers = {}
    for address, box in boxes.items():
        x0, y0, x1, y1 = np.round(box).astype(int).clip(0)
        place = slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))
        fitting = [i for i, full in enumerate(taken) if full[place].sum() <= _OVERLAP * full[place].size]
        if not fitting and len(taken) < _MAX_LAYERS:
            taken.append(np.zeros(shape, bool))
        layers[address] = fitting[0] if fitting else len(taken) - 1
        taken[layers[address]][place] = True
    return layers


def _text_objects(page: pdfium.PdfPage) -> Iterator[raw.FPDF_PAGEOBJECT]:
    for i in range(raw.FPDFPage_CountObjects(page)):
        yield from _texts_in(raw.FPDFPage_GetObject(page, i), _MAX_DEPTH)


def _texts_in(item: raw.FPDF_PAGEOBJECT, depth: int) -> Iterator[raw.FPDF_PAGEOBJECT]:
    kind = raw.FPDFPageObj_GetType(item)
    if kind == raw.FPDF_PAGEOBJ_TEXT:
        yield item
    elif kind == raw.FPDF_PAGEOBJ_FORM and depth:
        for i in range(raw.FPDFFormObj_CountObjects(item)):
            yield from _texts_in(raw.FPDFFormObj_GetObject(item, i), depth - 1)


def _render_without(page: pdfium.PdfPage, scale: float, items: Collection[raw.FPDF_PAGEOBJECT]) -> np.ndarray:
    for item in items:
        raw.FPDFPageObj_SetIsActive(item, False)
    try:
        return render_gray(page, scale)
    finally:
        for item in items:
            raw.FPDFPageObj_SetIsActive(item, True)


def _difference(image: np.ndarray, ground: np.ndarray) -> np.ndarray:
    return np.maximum(image, ground) - np.minimum(image, ground)
