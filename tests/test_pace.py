from __future__ import annotations

import pytest

from ocr_models.pace import Pace


def test_the_start_is_left_out_and_a_stall_is_not():
    pace = Pace()

    assert pace.update(0, 100.0) is None
    assert pace.update(4, 120.0) is None  # models have loaded, the first batch is done
    assert pace.update(8, 121.0) is None  # one second of evidence
    assert pace.update(20, 124.0) == pytest.approx((20 - 4) / 4)
    assert pace.update(20, 152.0) == pytest.approx((20 - 4) / 32)  # nothing for 28 seconds


def test_what_an_earlier_process_did_is_no_evidence():
    pace = Pace(done=500)

    assert pace.update(500, 0.0) is None
    assert pace.update(501, 9.0) is None
    assert pace.update(521, 19.0) == pytest.approx(2.0)
