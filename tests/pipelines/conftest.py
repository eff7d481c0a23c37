from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pytest

from pipelines import cli, ocr
from pipelines.decode_pool import DecodePool
from tests.pipelines.fakes import load_fake_reader

Run = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture(scope="session")
def pool():
    pool = DecodePool(1)
    yield pool
    pool.close()


@pytest.fixture
def fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the fake reader in the place of the trained models."""
    monkeypatch.setattr(ocr, "find_bundle", lambda name, task: SimpleNamespace(id=f"{name}@0", digest="0"))
    monkeypatch.setattr(ocr, "_load_reader", load_fake_reader)


@pytest.fixture
def run(fake_models: None, tmp_path: Path) -> Run:
    """Runs ``pagebeam run`` with these arguments; returns its exit status and the rows, in order."""

    def run(*arguments: object, output: str = "out") -> tuple[int, list[dict[str, Any]]]:
        folder = tmp_path / output
        status = cli.main(["run", *map(str, arguments), "--output", str(folder)])
        return status, read_rows(folder)

    return run


def read_rows(output: Path) -> list[dict[str, Any]]:
    table: pa.Table = pyarrow.dataset.dataset(output / "pages", partitioning="hive").to_table()
    return table.sort_by([("source_uri", "ascending"), ("page_index", "ascending")]).to_pylist()
