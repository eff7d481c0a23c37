"""The ink of a PDF page's text: what the rendering shows of it.

A text layer also lists text that nobody sees: in a layer that is switched off, invisible, clipped, off the page, in the
color of its ground, or covered. Its ink is what the rendering loses when its text objects are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ocr_models.io.pdfium_calls import activate_object, page_objects

_MAX_LAYERS = 4  # renderings a page may cost; text printed over text, as in a PDF of two languages, needs two
_OVERLAP = 0.3  # objects of one line touch; the text of another layer lies over its whole length


def render_gray(page: pdfium.PdfPage, scale: float) -> np.ndarray:
    """The page, uint8 (H, W), at ``scale`` pixels per point."""
    image = page.render(scale=scale, grayscale=True).to_numpy()
    return np.ascontiguousarray(image[..., 0] if image.ndim == 3 else image)


def text_ink(
    page: pdfium.PdfPage, scale: float, image: np.ndarray, boxes: Mapping[int, np.ndarray]
) -> tuple[dict[int, int], list[np.ndarray]]:
    """The ink of text objects, in layers, so that none of a layer lies over another one.

    Args:
        page: is left as it was.
        scale: pixels per point.
        image: the page at this scale.
        boxes: of the objects by address: (left, top, right, bottom), pixels.

    Returns:
        The layer of each object; and for each layer uint8 (H, W), by how many gray levels it changes the page.
    """
    layers = _layers(boxes, image.shape)
    objects = page_objects(page, [raw.FPDF_PAGEOBJ_TEXT])
    ground = _render_without(page, scale, objects)
    count = max(layers.values(), default=0) + 1
    if count == 1:
        return layers, [_difference(image, ground)]
    inks = []
    for layer in range(count):
        others = [address for address in objects if layers.get(address) != layer]
        inks.append(_difference(_render_without(page, scale, others), ground))
    return layers, inks


def _layers(boxes: Mapping[int, np.ndarray], shape: Sequence[int]) -> dict[int, int]:
    """Puts each object into the first layer that has room for it."""
    taken: list[np.ndarray] = []
    layers = {}
    first, last = np.split(np.round(np.reshape([*boxes.values()], (-1, 4))).astype(int).clip(0), 2, axis=1)
    places = np.hstack([first, np.maximum(last, first + 1)]).clip(max=np.tile(shape[1::-1], 2))
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


def _render_without(page: pdfium.PdfPage, scale: float, objects: Sequence[int]) -> np.ndarray:
    for address in objects:
        activate_object(address, False)
    try:
        return render_gray(page, scale)
    finally:
        for address in objects:
            activate_object(address, True)


def _difference(image: np.ndarray, ground: np.ndarray) -> np.ndarray:
    return np.maximum(image, ground) - np.minimum(image, ground)
