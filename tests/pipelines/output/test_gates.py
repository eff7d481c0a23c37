"""Gates and drift, on numbers that can be checked by hand."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from pipelines.output.gates import Gates, drift, last_good_run
from pipelines.output.page_statistics import PageStatistics


def manifest(run_id: str, **changes: object) -> dict:
    statistics = {"pdf": asdict(pages(100))}
    whole = {"run_id": run_id, "table": "pages", "stopped": None, "pages": {"expected": 100}, "statistics": statistics}
    return {**whole, **changes}


def pages(ok: int, blank: int = 0, failed: int = 0, words: int = 100, tenth: int = 9) -> PageStatistics:
    """Pages with this many words each, whose confidences are all in the middle of a tenth."""
    confidences = tuple(ok if i == tenth else 0 for i in range(10))
    return PageStatistics(
        {"ok": ok, "blank": blank, "failed": failed}, words * ok, confidences, ok * (tenth + 0.5) / 10
    )


def test_what_has_moved_is_said_in_numbers():
    before = {"pdf": pages(100), "image": pages(100)}
    after = {"pdf": pages(60, blank=30, failed=10, words=50), "image": pages(100, tenth=8)}

    assert dict(drift({"pdf": before["pdf"]}, {"pdf": after["pdf"]})) == {
        "pages: share of blank pages 0.0% → 30.0%": 0.3,
        "pages: share of failed pages 0.0% → 10.0%": 0.1,
        "pages: words per page 100 → 30": 0.7,
        "pages: mean confidence 0.950 → 0.950, distribution moved by 0%": 0.0,
        "pdf pages: share of blank pages 0.0% → 30.0%": 0.3,
        "pdf pages: share of failed pages 0.0% → 10.0%": 0.1,
        "pdf pages: words per page 100 → 30": 0.7,
        "pdf pages: mean confidence 0.950 → 0.950, distribution moved by 0%": 0.0,
    }
    image = {change: size for change, size in drift(before, after) if change.startswith("image")}
    assert image["image pages: mean confidence 0.950 → 0.850, distribution moved by 100%"] == 1.0


def test_few_pages_tell_nothing():
    assert list(drift({"pdf": pages(49)}, {"pdf": pages(10, failed=39)})) == []


def test_a_run_is_compared_with_the_last_good_one():
    runs = [
        manifest("1"),
        manifest("2", stopped="deadline"),
        manifest("3", gates_exceeded=["too bad"]),
        manifest("4", table="captions"),
        manifest("5", pages={"expected": 49}),
        manifest("6"),
    ]

    good = last_good_run(manifest("6"), runs)
    assert good is not None and good["run_id"] == "1"
    assert last_good_run(manifest("1"), runs[:1]) is None


@pytest.mark.parametrize(
    ("gates", "sentences"),
    [
        (Gates(max_failed=0.1), []),
        (Gates(max_failed=0.09), ["10 of 100 pages failed (10.00%), more than 9.00%"]),
        (Gates(min_mean_confidence=0.96), ["the mean confidence of pages is 0.950, less than 0.96"]),
        (
            Gates(max_drift=0.05),
            [
                "pages: share of failed pages 0.0% → 10.0% since run 1, more than 5%",
                "pages: words per page 100 → 90 since run 1, more than 5%",
                "pdf pages: share of failed pages 0.0% → 10.0% since run 1, more than 5%",
                "pdf pages: words per page 100 → 90 since run 1, more than 5%",
            ],
        ),
    ],
)
def test_gates_say_what_exceeds_them(gates, sentences):
    run = manifest("2", statistics={"pdf": asdict(pages(90, failed=10))})

    assert gates.exceeded(run, [manifest("1"), run]) == sentences


def test_a_run_that_read_nothing_exceeds_no_gate():
    run = manifest("2", statistics={}, pages={"expected": 0})

    assert Gates(0.0, 1.0, 0.0).exceeded(run, [manifest("1")]) == []
