"""Scores as mergeable counts: pages and words are counted anywhere, the counts are added, and ratios come last.

Each class has ``of``, which counts one item, ``+``, whose sums don't depend on the order, and ratios as properties;
without arguments it is the empty count. The truth is always the first argument, the prediction the second.
"""

from ocr_models.metrics.bleu import BleuCounts
from ocr_models.metrics.calibration import (
    CalibrationCounts,
    CurvePoint,
    apply_temperature,
    fit_temperature,
)
from ocr_models.metrics.detection import DetectionCounts, DetectionMatches, match_detections
from ocr_models.metrics.matches import MatchCounts
from ocr_models.metrics.recognition import EditCounts, WordCounts, edit_distance
from ocr_models.metrics.text import PageCounts, counted_words, plain_text

__all__ = [
    "BleuCounts",
    "CalibrationCounts",
    "CurvePoint",
    "DetectionCounts",
    "DetectionMatches",
    "EditCounts",
    "MatchCounts",
    "PageCounts",
    "WordCounts",
    "apply_temperature",
    "counted_words",
    "edit_distance",
    "fit_temperature",
    "match_detections",
    "plain_text",
]
