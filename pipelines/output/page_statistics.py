"""Counts of rows that are compared between runs: how many pages are blank or failed, their words, their confidences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BINS = 10  # of confidences, each of a width of 0.1
NO_KIND = "unopened"


@dataclass(frozen=True)
class PageStatistics:
    """Counts of some rows, which add up.

    Attributes:
        statuses: number of rows by status.
        words: number of words.
        confidences: number of pages that were read by their mean confidence, in ``BINS`` bins from 0 to 1. Pages from
            their text layers, whose confidence is always 1, don't count: they would hide how well the others are read.
        confidence_sum: sum of the same mean confidences.
        from_text_layer: number of pages from their text layers.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    words: int = 0
    confidences: tuple[int, ...] = (0,) * BINS
    confidence_sum: float = 0.0
    from_text_layer: int = 0

    @staticmethod
    def of_rows(rows: pa.Table) -> dict[str, PageStatistics]:
        """The statistics of rows by the kind of their document; ``NO_KIND`` if it couldn't be opened."""
        kinds = pc.fill_null(rows["source_kind"], NO_KIND)
        return {kind: _of_one_kind(rows.filter(pc.equal(kinds, kind))) for kind in pc.unique(kinds).to_pylist()}

    def __add__(self, other: PageStatistics) -> PageStatistics:
        statuses = dict(Counter(self.statuses) + Counter(other.statuses))
        confidences = tuple(a + b for a, b in zip(self.confidences, other.confidences, strict=True))
        confidence_sum = self.confidence_sum + other.confidence_sum
        from_text_layer = self.from_text_layer + other.from_text_layer
        return PageStatistics(statuses, self.words + other.words, confidences, confidence_sum, from_text_layer)

    @property
    def pages(self) -> int:
        """Number of rows."""
        return sum(self.statuses.values())

    @staticmethod
    def from_json(values: dict[str, Any]) -> PageStatistics:
        """From what ``dataclasses.asdict`` made for a manifest."""
        return PageStatistics(**{**values, "confidences": tuple(values["confidences"])})


def sum_by_kind(parts: Iterable[dict[str, PageStatistics]]) -> dict[str, PageStatistics]:
    """The sums of several statistics by kind."""
    total: defaultdict[str, PageStatistics] = defaultdict(PageStatistics)
    for part in parts:
        for kind, statistics in part.items():
            total[kind] += statistics
    return dict(sorted(total.items()))


def _of_one_kind(rows: pa.Table) -> PageStatistics:
    words, bins, total, from_text_layer = 0, np.zeros(BINS, int), 0.0, 0
    statuses = dict(Counter(rows["status"].to_pylist()))
    if "words" in rows.column_names:
        words = pc.sum(pc.list_value_length(rows["words"])).as_py() or 0
    if "text_source" in rows.column_names:
        is_layer = pc.fill_null(pc.is_in(rows["text_source"], pa.array(["text_layer", "hidden_text"])), False)
        from_text_layer = pc.sum(is_layer).as_py() or 0
        rows = rows.filter(pc.invert(is_layer))
    if "mean_confidence" in rows.column_names:
        confidences = pc.drop_null(rows["mean_confidence"]).to_numpy()
        bins, total = np.histogram(confidences, BINS, (0, 1))[0], float(confidences.sum(dtype=np.float64))
    return PageStatistics(statuses, words, tuple(bins.tolist()), total, from_text_layer)
