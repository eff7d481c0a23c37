"""The graph as a library: what Beam does with the rows equals what plain calls do."""

from __future__ import annotations

import functools

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from PIL import Image

from ocr_models.io.hashing import CHANGED
from pipelines.decoding import stream as decode_stream
from pipelines.inputs.discovery import FoundFile, find_documents
from pipelines.inputs.documents import open_document
from pipelines.inputs.transforms import ReadDocuments
from pipelines.output.run_manifest import RunDescription, read_manifest
from pipelines.output.schemas import PAGES
from pipelines.reading.ocr_rows import OcrReader
from pipelines.reading.page_stream import PageStream
from pipelines.reading.pipeline import define_pipeline
from pipelines.reading.transforms import ReadPages
from tests.pipelines import samples
from tests.pipelines.conftest import read_rows
from tests.pipelines.fakes import FakePageReader, load_fake_reader


@pytest.fixture
def folder(tmp_path):
    for seed in range(12):
        samples.write_png(tmp_path / f"in/{seed:02d}.png", seed)
    pages = [Image.fromarray(samples.page_pixels(seed)) for seed in range(150)]
    samples.write_tiff(tmp_path / "in/book.tif", pages)
    (tmp_path / "in/bad.pdf").write_bytes(b"%PDF-")
    return str(tmp_path / "in")


def direct_rows(folder: str, pool) -> list[dict]:
    """The rows without Beam, packed and unpacked as Beam's are."""
    stream = PageStream(load_fake_reader(), pool, 200, batch_size=5)
    rows = []
    for uri in sorted(find_documents(folder)):
        for page_range in open_document(FoundFile(uri), pool):
            rows += stream.add(page_range)
    rows += stream.finish()
    rows.sort(key=lambda row: (row["source_uri"], row["page_index"]))
    return PAGES.unpack_rows(PAGES.pack_row({**row, "run_id": "the-run"}) for row in rows).to_pylist()


def without_times(rows: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "elapsed_ms"} for row in rows]


def test_several_shards_from_several_workers_equal_plain_calls(folder, tmp_path, pool):
    run = RunDescription("the-run", [folder], PAGES)
    options = PipelineOptions(["--direct_running_mode=multi_threading", "--direct_num_workers=2"])

    with beam.Pipeline(FnApiRunner(), options) as root:
        documents = root | ReadDocuments([folder])
        define_pipeline(documents, str(tmp_path / "out"), run, ReadPages(load_fake_reader), rows_per_shard=20)

    shards = sorted((tmp_path / "out/pages").iterdir())
    assert len(shards) in (9, 10)  # 163 rows, of each worker's 20 at a time and what is left
    assert max(pq.ParquetFile(shard).metadata.num_rows for shard in shards) == 20
    assert read_manifest(str(tmp_path / "out"), "the-run")["pages"]["expected"] == 163
    assert without_times(read_rows(tmp_path / "out")) == without_times(direct_rows(folder, pool))


class CountingPageReader(FakePageReader):
    """Remembers the sizes of its batches."""

    def __init__(self):
        self.batches = []

    def read_pages(self, images):
        self.batches.append(len(images))
        return super().read_pages(images)


def test_batches_are_full_and_cross_documents(folder, pool):
    reader = CountingPageReader()
    stream = PageStream(OcrReader(reader), pool, 200, batch_size=8)

    for uri in sorted(find_documents(folder)):
        for page_range in open_document(FoundFile(uri), pool):
            list(stream.add(page_range))
    list(stream.finish())

    assert reader.batches == [8] * 20 + [2]  # 162 pages


def test_a_batch_of_large_pages_is_cut_short(folder, pool, monkeypatch):
    monkeypatch.setattr(decode_stream, "MAX_BATCH_BYTES", 3 * 60 * 40)
    reader = CountingPageReader()
    stream = PageStream(OcrReader(reader), pool, 200, batch_size=8)

    [page_range] = open_document(FoundFile(f"{folder}/00.png"), pool)
    for _ in range(5):
        list(stream.add(page_range))
    list(stream.finish())

    assert reader.batches == [3, 2]


def test_pages_of_a_file_that_became_shorter_fail(tmp_path, pool):
    record = samples.sequence_example(samples.encoded(Image.fromarray(samples.page_pixels(1))))
    path = tmp_path / "records"
    path.write_bytes(samples.tfrecord_bytes([record] * 3))
    page_ranges = list(open_document(FoundFile(str(path)), pool))
    path.write_bytes(samples.tfrecord_bytes([record]))
    stream = PageStream(load_fake_reader(), pool, 200)

    rows = [row for page_range in page_ranges for row in stream.add(page_range)] + list(stream.finish())

    assert sorted((row["page_index"], row["status"]) for row in rows) == [(0, "ok"), (1, "failed"), (2, "failed")]


def test_pages_of_a_document_that_changed_fail_and_say_so(tmp_path, pool):
    pages = [Image.fromarray(samples.page_pixels(seed)) for seed in range(3)]
    path = samples.write_tiff(tmp_path / "book.tif", pages)
    page_ranges = list(open_document(FoundFile(str(path)), pool))
    samples.write_tiff(path, pages[::-1])
    stream = PageStream(load_fake_reader(), pool, 200)

    rows = [row for page_range in page_ranges for row in stream.add(page_range)] + list(stream.finish())

    assert [(row["page_index"], row["status"]) for row in rows] == [(0, "failed"), (1, "failed"), (2, "failed")]
    assert {(row["failure"]["stage"], row["failure"]["message"]) for row in rows} == {("open", CHANGED)}


def test_models_are_loaded_once_for_all_workers(folder, tmp_path):
    loads = tmp_path / "loads"
    loads.touch()
    options = PipelineOptions(["--direct_running_mode=multi_threading", "--direct_num_workers=3"])

    with beam.Pipeline(FnApiRunner(), options) as root:
        read_pages = ReadPages(functools.partial(load_and_note, str(loads)))
        documents = root | ReadDocuments([folder])
        define_pipeline(documents, str(tmp_path / "out"), RunDescription("run", [folder], PAGES), read_pages)

    assert loads.read_text() == "loaded\n"


def load_and_note(path: str) -> OcrReader:
    with open(path, "a") as file:
        file.write("loaded\n")
    return load_fake_reader()
