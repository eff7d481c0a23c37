from __future__ import annotations

import threading

import pytest

from pipelines.inputs.map_ahead import THREADS, map_ahead


def test_calls_wait_together_and_results_keep_their_order():
    together = threading.Barrier(THREADS, timeout=30)  # breaks unless so many calls are made at the same time

    def wait(item: int) -> int:
        together.wait()
        return item

    assert list(map_ahead(wait, range(4 * THREADS))) == list(range(4 * THREADS))


def test_few_items_are_taken_before_their_results_are_wanted():
    taken = []

    def items():
        for item in range(10_000):
            taken.append(item)
            yield item

    results = map_ahead(str, items())
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    assert len(taken) < 100
    results.close()
    assert len(taken) < 100


def test_an_error_is_raised_where_its_result_is_due():
    results = map_ahead(lambda item: 1 // item, [1, 1, 0, 1])

    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
