"""Limits for what a document may cost, as the options of ``pagebeam run`` set them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from ocr_models import limits
from ocr_models.errors import DocumentError
from ocr_models.limits import DecodeLimits, check_reading_time, reading_within
from ocr_models.pages.page_reader import PageReader
from pipelines.decoding.pool import DecodePool
from pipelines.inputs.discovery import FoundFile, find_documents
from pipelines.inputs.documents import open_document
from pipelines.reading.ocr_rows import OcrReader
from pipelines.reading.page_stream import PageStream
from tests.pipelines import samples
from tests.pipelines.fakes import GUILTY_WIDTH_PX, FakePageReader


@pytest.mark.parametrize(
    ("options", "name", "message"),
    [
        (
            ["--max-pages", 2],
            "three.tif",
            "the TIFF has more pages, and the limit is 2; raise the limit with --max-pages",
        ),
        (["--max-pages", 2], "three.pdf", "the PDF has 3 pages, and the limit is 2; raise the limit with --max-pages"),
        (
            ["--max-document-mb", 1],
            "large.tif",
            "more bytes than the limit of 1 MB; raise the limit with --max-document",
        ),
        (
            ["--max-pixels", 50_000],
            "large.png",
            "more than the limit of 50,000 a page; .* raise the limit with --max-pix",
        ),
    ],
)
def test_what_exceeds_a_limit_becomes_one_failed_row_that_names_it(run, tmp_path, options, name, message):
    folder = tmp_path / "in"
    pages = [Image.fromarray(samples.page_pixels(seed)) for seed in range(3)]
    samples.write_png(folder / "good.png", 1)
    samples.write_tiff(folder / "three.tif", pages)
    samples.write_tiff(folder / "large.tif", [Image.fromarray(samples.page_pixels(1, 1100, 1000))])
    samples.write_png(folder / "large.png", 1, width=300, height=200)
    (folder / "three.pdf").write_bytes(samples.pdf_bytes(["0 0 9 9 re f"] * 3))

    status, rows = run(folder / name, folder / "good.png", *options)

    assert status == 3
    assert [row["status"] for row in rows] == ["ok", "failed"]
    assert re.search(message, rows[1]["failure"]["message"])
    assert rows[1]["elapsed_ms"] > 0
    [manifest] = (tmp_path / "out/runs").glob("*.json")
    assert set(vars(DecodeLimits())) == set(json.loads(manifest.read_text())["options"]["limits"])


def test_a_decoder_gets_enough_memory_to_start(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(samples.write_png(tmp_path / "page.png", 1), "--max-memory-mb", 200)
    assert "200 is too little for a decoder to start; give at least 512" in capsys.readouterr().err

    status, rows = run(samples.write_png(tmp_path / "page.png", 1), "--max-memory-mb", 512)
    assert status == 0 and rows[0]["status"] == "ok"


class SlowPageReader(FakePageReader):
    """Takes an hour for a page of ``GUILTY_WIDTH_PX``, and looks at the time between pages as models do."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def read_pages(self, images: list) -> list:
        read = []
        for image in images:
            self.now_s += 3600 * (image.shape[1] == GUILTY_WIDTH_PX)
            check_reading_time()
            read += super().read_pages([image[:, :60]])
        return read


def test_a_page_on_which_models_take_too_long_fails_alone(tmp_path, monkeypatch):
    reader = SlowPageReader()
    monkeypatch.setattr(limits, "time", reader)
    for seed in range(5):
        samples.write_png(tmp_path / f"{seed}.png", seed, width=GUILTY_WIDTH_PX if seed == 2 else 60)
    pool = DecodePool(1, DecodeLimits())
    stream = PageStream(OcrReader(reader), pool, 200)

    for uri in sorted(find_documents(str(tmp_path))):
        for page_range in open_document(FoundFile(uri), pool):
            assert not list(stream.add(page_range))
    rows = list(stream.finish())
    pool.close()

    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "ok", "ok"]
    message = (
        "reading the page took more than 300 s and was stopped; raise the limit with --max-read-seconds of pagebeam"
    )
    assert rows[2]["failure"] == {"stage": "read", "error_type": "DocumentError", "message": f"{message} run"}


def test_the_models_look_at_the_time():
    reader = PageReader.load("east-fast", "crnn-fast")
    page = np.full((200, 300), 255, np.uint8)

    assert reader.read_pages([page])[0].text == ""
    with pytest.raises(DocumentError, match="--max-read-seconds"), reading_within(0.0):
        reader.read_pages([page])
