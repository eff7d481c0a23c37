from __future__ import annotations

import os

import pytest

from ocr_models import limits
from ocr_models.limits import CORES, DecodeLimits, cores
from pipelines.decoding import pool


@pytest.mark.parametrize(
    ("quota", "expected"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 64), ("", 64)]
)
def test_a_container_s_quota_is_heeded(tmp_path, monkeypatch, quota, expected):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(limits, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.delenv(CORES, raising=False)

    assert cores() == expected


def test_the_variable_and_the_option_cap_the_decoders_of_a_process(monkeypatch):
    sizes: list[int] = []
    monkeypatch.setattr(pool, "DecodePool", lambda size, limits: sizes.append(size))
    monkeypatch.setattr(pool, "_shared_pools", {})
    monkeypatch.setenv(CORES, "3")

    pool.shared_pool(DecodeLimits())
    pool.shared_pool(DecodeLimits(cores=5))

    assert sizes == [3, 5]
