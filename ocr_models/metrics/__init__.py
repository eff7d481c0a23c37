"""Scores as mergeable counts: pages and words are counted anywhere, added up, and divided at the very end.

Each class has ``of``, which counts one item, ``+``, whose totals are the same in any order, and ratios; without
arguments it is the empty count that a sum starts from. All take the truth first, then the prediction.
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
