"""From the output maps of EAST to words: restore rectangles, merge them, suppress duplicates."""

from __future__ import annotations

import logging

import numpy as np

from ocr_models.detection.nms import locality_aware_nms, standard_nms
from ocr_models.detection.restore import positive_cells

# At one look, the detector sees some 500 words on a page of text and 4,000 on a dense sheet; larger sheets are seen in
# tiles. Noise and textures give tens of thousands of boxes, and later steps compare all pairs: 40,000 would take 13 GB.
MAX_WORDS = 5_000

_log = logging.getLogger(__name__)


def decode_east(
    score_map: np.ndarray,
    geometry_map: np.ndarray,
    score_threshold: float = 0.5,
    link_iou: float = 0.5,
    iou_threshold: float = 0.3,
    containment_threshold: float = 0.7,
    output_stride: int = 4,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the words in the maps of one page.

    Args:
        score_map: (h, w) or (h, w, 1), text probability: the sigmoid of the model's ``score_logits``.
        geometry_map: (h, w, 5), top, right, bottom and left in pixels, angle in radians.
        score_threshold: cells with a lower probability are ignored.
        link_iou: see ``locality_aware_nms``.
        iou_threshold: see ``standard_nms``.
        containment_threshold: see ``standard_nms``.
        output_stride: pixels of the model's image for a cell.

    Returns:
        quads float32 (N, 4, 2), pixels of the model's image, clockwise from the top-left, and their confidences
        float32 (N,), 0 to 1; the words with the most evidence first, at most ``MAX_WORDS``.
    """
    cells = positive_cells(score_map, geometry_map, score_threshold, output_stride)
    quads, scores, confidences = locality_aware_nms(cells, link_iou)
    if len(scores) > MAX_WORDS:
        # An error, as words are lost, and as the command shows no warnings of its parts.
        _log.error("a look at a page gave %s boxes; the %s with the most evidence are read", len(scores), MAX_WORDS)
    most = np.argsort(-scores, kind="stable")[:MAX_WORDS]
    quads, scores, confidences = quads[most], scores[most], confidences[most]
    kept = standard_nms(quads, scores, iou_threshold, containment_threshold)
    return quads[kept], confidences[kept].astype(np.float32)
