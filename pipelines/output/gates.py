"""Gates: how bad a run may be, in itself and compared with the last good one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.output.page_statistics import PageStatistics

LEAST_PAGES = 50
"""Of fewer pages, shares and means say little: of 50, one page is 2 %."""
_ALL = "all"


@dataclass(frozen=True)
class Gates:
    """Limits for what a run reads. None: no limit.

    Attributes:
        max_failed: share of its pages that may fail, 0 to 1.
        min_mean_confidence: what its pages' confidences must be on average, 0 to 1.
        max_drift: by how much it may differ from the last good run, 0 to 1, in each of the numbers of ``drift``.
    """

    max_failed: float | None = None
    min_mean_confidence: float | None = None
    max_drift: float | None = None

    @property
    def are_set(self) -> bool:
        """Whether there is a limit."""
        return self != Gates()

    def exceeded(self, manifest: dict[str, Any], earlier: Iterable[dict[str, Any]]) -> list[str]:
        """Says in a sentence each which limits a run exceeds; a run that read nothing exceeds none.

        Args:
            manifest: the run's manifest.
            earlier: the manifests of earlier runs, oldest first.
        """
        statistics = statistics_of(manifest)
        total = sum(statistics.values(), PageStatistics())
        failed = total.statuses.get("failed", 0)
        found = []
        if self.max_failed is not None and total.pages and failed / total.pages > self.max_failed:
            share = failed / total.pages
            found.append(f"{failed:,} of {total.pages:,} pages failed ({share:.2%}), more than {self.max_failed:.2%}")
        rated = sum(total.confidences)
        if self.min_mean_confidence is not None and rated and total.confidence_sum / rated < self.min_mean_confidence:
            mean = total.confidence_sum / rated
            found.append(f"the mean confidence of pages is {mean:.3f}, less than {self.min_mean_confidence:g}")
        last = last_good_run(manifest, earlier)
        if self.max_drift is not None and last:
            found += [
                f"{change} since run {last['run_id']}, more than {self.max_drift:.0%}"
                for change, size in drift(statistics_of(last), statistics)
                if size > self.max_drift
            ]
        return found


def statistics_of(manifest: dict[str, Any]) -> dict[str, PageStatistics]:
    """The statistics in a manifest by kind of document."""
    return {kind: PageStatistics.from_json(values) for kind, values in manifest["statistics"].items()}


def last_good_run(manifest: dict[str, Any], earlier: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The last run before this one that finished, passed its gates and read enough pages to compare, or None."""
    good = [
        run
        for run in earlier
        if run["run_id"] != manifest["run_id"]
        and run["table"] == manifest["table"]
        and not run["stopped"]
        and not run.get("gates_exceeded")
        and run["pages"]["expected"] >= LEAST_PAGES
    ]
    return good[-1] if good else None


def drift(before: dict[str, PageStatistics], after: dict[str, PageStatistics]) -> Iterator[tuple[str, float]]:
    """What has moved between two runs, of all pages and of each kind of document that both have enough pages of.

    Yields:
        A description, and its size from 0: of the shares of blank and failed pages, the difference; of words per page,
        the change relative to before; of the distributions of confidences, half the sum of the bins' differences (the
        total variation distance).
    """
    kinds = {_ALL: _ALL, **{kind: kind for kind in before.keys() & after.keys()}}
    for kind in sorted(kinds):
        old, new = (sum(runs.values(), PageStatistics()) if kind == _ALL else runs[kind] for runs in (before, after))
        if min(old.pages, new.pages) >= LEAST_PAGES:
            pages = "pages" if kind == _ALL else f"{kind} pages"
            yield from ((f"{pages}: {change}", size) for change, size in _drift(old, new))


def _drift(old: PageStatistics, new: PageStatistics) -> Iterator[tuple[str, float]]:
    for status in ("blank", "failed"):
        shares = [statistics.statuses.get(status, 0) / statistics.pages for statistics in (old, new)]
        yield f"share of {status} pages {shares[0]:.1%} → {shares[1]:.1%}", abs(shares[1] - shares[0])
    words = [statistics.words / statistics.pages for statistics in (old, new)]
    if words[0]:
        yield f"words per page {words[0]:.0f} → {words[1]:.0f}", abs(words[1] - words[0]) / words[0]
    if sum(old.confidences) and sum(new.confidences):
        bins = [[count / sum(of.confidences) for count in of.confidences] for of in (old, new)]
        means = [of.confidence_sum / sum(of.confidences) for of in (old, new)]
        distance = sum(abs(a - b) for a, b in zip(*bins, strict=True)) / 2
        yield f"mean confidence {means[0]:.3f} → {means[1]:.3f}, distribution moved by {distance:.0%}", distance
