"""EAST in use: word boxes from pictures of any size."""

from __future__ import annotations

import cv2
import numpy as np

from ocr_models.bundle import Bundle
from ocr_models.detection.decode_maps import decode_east
from ocr_models.inference.engines import AUTO, Forward, choose_engine, load_forward
from ocr_models.limits import check_reading_time
from ocr_models.records import TextBox

# Pictures are padded to sides that are multiples of this: EAST needs 32, and fewer shapes mean fewer compilations.
_SIDE_STEP = 128


class TextDetector:
    """EAST in use: finds words in pictures of any size.

    Args:
        forward: computes the network, compiled by an engine.
        score_threshold: cells with a text probability above it vote for words.
    """

    def __init__(self, forward: Forward, score_threshold: float = 0.5) -> None:
        self._forward = forward
        self._score_threshold = score_threshold

    @classmethod
    def load(cls, bundle: Bundle, engine: str = AUTO) -> TextDetector:
        """Loads the detector of a bundle on an engine; see ``load_forward`` for what it sets in the process."""
        return cls(load_forward(bundle, choose_engine(bundle, engine)))

    def detect_at(self, image: np.ndarray, scale: float) -> list[TextBox]:
        """Finds words in a picture that is resized by ``scale`` first.

        Args:
            image: uint8 (H, W), gray.
            scale: pixels that the detector sees for one pixel of ``image``; text of 9 to 20 seen pixels is found best.

        Returns:
            Boxes with quads in pixels of ``image``, those with the most evidence first.
        """
        check_reading_time()
        seen = _resize(image, scale)
        height, width = (-(-side // _SIDE_STEP) * _SIDE_STEP for side in seen.shape)
        padded = cv2.copyMakeBorder(
            seen, 0, height - seen.shape[0], 0, width - seen.shape[1], cv2.BORDER_CONSTANT, value=255
        )
        maps = self._forward(padded[None, :, :, None])
        score_map = 1 / (1 + np.exp(-maps["score_logits"][0, ..., 0]))
        quads, confidences = decode_east(score_map, maps["geometry_map"][0], self._score_threshold)
        quads = quads * np.array([image.shape[1] / seen.shape[1], image.shape[0] / seen.shape[0]], np.float32)
        return [TextBox(quad, confidence) for quad, confidence in zip(quads, confidences.tolist(), strict=True)]


def _resize(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1.0:
        return image
    size = [max(1, round(side * scale)) for side in reversed(image.shape)]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
