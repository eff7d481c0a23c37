"""Limits for what a document may cost, as the options of ``pagebeam run`` set them."""

from __future__ import annotations

import json
import re

import pytest
from PIL import Image

from ocr_models.limits import DecodeLimits
from tests.pipelines import samples


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
