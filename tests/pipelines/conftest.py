from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pytest

from pipelines.cli import main as cli
from pipelines.cli import read_command, run_arguments
from pipelines.decoding.pool import DecodePool
from pipelines.reading import caption_reader, ocr_reader, run_options
from tests.pipelines.fakes import load_fake_captioner, load_fake_reader

Run = Callable[..., tuple[int, list[dict[str, Any]]]]

COLUMNS_OF_A_RUN = ("run_id", "elapsed_ms")


@pytest.fixture(scope="session")
def pool():
    pool = DecodePool(1)
    yield pool
    pool.close()


@pytest.fixture
def fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the fake readers in the place of the trained models."""
    monkeypatch.setattr(
        run_options,
        "find_bundle",
        lambda name, task: SimpleNamespace(id=f"{name}@0", digest="0", onnx_path="model.onnx"),
    )
    for module in (ocr_reader, read_command):
        monkeypatch.setattr(module, "load_reader", load_fake_reader)
    monkeypatch.setattr(caption_reader, "_load_reader", load_fake_captioner)
    check = run_arguments.find_bundle
    monkeypatch.setattr(run_arguments, "find_bundle", lambda name, task: name == "fake" or check(name, task))


@pytest.fixture
def run(fake_models: None, tmp_path: Path) -> Run:
    """Runs ``pagebeam run`` with these arguments; returns its exit status and the rows, in order."""

    def run(*arguments: object, output: str = "out") -> tuple[int, list[dict[str, Any]]]:
        folder = tmp_path / output
        status = cli.main(["run", *map(str, arguments), "--output", str(folder)])
        return status, read_rows(folder)

    return run


@pytest.fixture
def caption(fake_models: None, tmp_path: Path) -> Run:
    """Like ``run``, for ``pagebeam caption``."""

    def caption(*arguments: object, output: str = "out") -> tuple[int, list[dict[str, Any]]]:
        folder = tmp_path / output
        status = cli.main(["caption", *map(str, arguments), "--captioner", "fake", "--output", str(folder)])
        return status, read_rows(folder, "captions")

    return caption


def comparable(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what no two runs have in common."""
    return [{name: value for name, value in row.items() if name not in COLUMNS_OF_A_RUN} for row in rows]


def read_rows(output: Path, table_folder: str = "pages") -> list[dict[str, Any]]:
    table: pa.Table = pyarrow.dataset.dataset(output / table_folder).to_table()
    return table.sort_by([("source_uri", "ascending"), ("page_index", "ascending")]).to_pylist()
