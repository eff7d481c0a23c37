"""The real command with the weights that ship, on the sample documents."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest

from ocr_models.bundle import DEFAULT_BUNDLES, find_bundle
from ocr_models.geometry import quad_boxes
from ocr_models.io.images import decode_image
from ocr_models.pages.page_reader import PageReader
from pipelines.cli.main import main
from pipelines.reading.ocr_rows import OcrReader

SAMPLES = Path(__file__).parent.parent / "docs/samples"
LETTER = """
Ms. Ingrid Sørensen 12 Rope Walk 4023 Northby Northby, 3 March 2025 Your question of 24 February Dear Ms. Sørensen,
thank you for your letter. We looked for the “Astrid” in the ledgers of 1903 to 1906 and found her four times; copies of
the pages are enclosed. She carried timber twice, salt once, and on 9 November 1905 nothing at all. The fee for the
copies is €12.40 (4 pages at €3.10). Please use reference HL-2025/0317 when you pay. No fee is due for pages that can’t
be read. If you should come to Northby, the originals can be seen at the desk. The page of 1905 has a drawing in its
margin that no machine will ever read, and which we are rather fond of. With kind regards Tomás Brandt Keeper of the
ledgers
"""


CYRILLIC = slice(103, 222)  # the rows of tests/pages/latin_and_cyrillic.png that are in Russian


def recall(truth: str, text: str) -> float:
    """The share of the truth's words that stand in the text."""
    words = Counter(truth.split())
    return (words & Counter(text.split())).total() / words.total()


@pytest.fixture(scope="module")
def reader() -> PageReader:
    return PageReader.load(DEFAULT_BUNDLES["detection"], DEFAULT_BUNDLES["recognition"])


@pytest.fixture(scope="module")
def latin_and_cyrillic() -> np.ndarray:
    """Three paragraphs, the second in Russian."""
    return decode_image((Path(__file__).parent / "pages/latin_and_cyrillic.png").read_bytes()).pixels


@pytest.fixture(scope="module")
def letter() -> np.ndarray:
    return decode_image((SAMPLES / "letter.jpg").read_bytes()).pixels


def test_shipped_bundles_are_whole_and_small():
    for task, name in DEFAULT_BUNDLES.items():
        bundle = find_bundle(name, task)
        assert sum(file.stat().st_size for file in bundle.path.iterdir()) < 12e6


def test_command_reads_the_samples(tmp_path, reader, letter):
    assert main(["run", str(SAMPLES), "--output", str(tmp_path)]) == 0
    rows = ds.dataset(tmp_path / "pages", partitioning="hive").to_table().to_pylist()
    pages = {(Path(row["source_uri"]).name, row["page_index"]): row for row in rows}
    assert sorted(pages) == [
        ("cargo.tif", 0),
        ("cargo.tif", 1),
        ("cargo.tif", 2),
        ("ledger.pdf", 0),
        ("ledger.pdf", 1),
        ("letter.jpg", 0),
    ]
    assert {row["status"] for row in rows} == {"ok"}
    scan = pages["letter.jpg", 0]
    assert recall(LETTER, scan["text"]) > 0.9
    assert scan["text"] == reader.read_pages([letter])[0].text  # Beam's result is the direct one
    assert recall("Cargo list, sheet 2 Lamp oil 15 cans 18.90 Total 129.00", pages["cargo.tif", 1]["text"]) > 0.8
    # The left column is read before the right one.
    ledger = pages["ledger.pdf", 0]["text"]
    assert ledger.index("Forty-one boxes") < ledger.index("What was asked") < ledger.index("How it was done")


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_page_is_read_upright(reader, letter, turns):
    page = reader.read_pages([np.ascontiguousarray(np.rot90(letter, -turns))])[0]
    assert page.rotation_deg == 90 * turns
    assert recall(LETTER, page.text) > 0.9


def test_white_on_black_is_read_as_black_on_white(reader, letter):
    page, inverted = reader.read_pages([letter, 255 - letter])
    assert recall(page.text, inverted.text) > 0.98


def test_words_beside_fine_dots_are_read(reader, letter):
    # The words of a line of the letter with a leader of tight dots behind them.
    words = [w for w in reader.read_pages([letter])[0].words if w.text in ("Dear", "Ms.", "Sørensen,")][-3:]
    x0, y0, x1, y1 = quad_boxes(np.concatenate([w.quad for w in words])[None])[0].round().astype(int)
    page = np.full_like(letter, 255)
    page[y0 - 4 : y1 + 4, x0 - 4 : x1 + 4] = letter[y0 - 4 : y1 + 4, x0 - 4 : x1 + 4]
    for i in range(60):
        x = x1 + 14 + 8 * i
        page[y1 - 10 : y1 - 6, x : x + 4] = 0
    assert reader.read_pages([page])[0].text.rstrip(",\n") == "Dear Ms. Sørensen"


def test_blank_page_has_no_words(reader):
    assert reader.read_pages([np.full((1100, 850), 255, np.uint8)])[0].words == ()


def test_paragraph_in_a_script_that_the_models_do_not_know_is_marked(reader, latin_and_cyrillic):
    (page,) = reader.read_pages([latin_and_cyrillic])
    assert page.text.startswith("The harbor master kept") and page.text.endswith("and is lost.\n")
    middle = [CYRILLIC.start < word.quad[:, 1].mean() < CYRILLIC.stop for word in page.words]
    assert [word.confidence == 0 for word in page.words] == [not word.in_text for word in page.words] == middle
    assert 0.3 < page.unknown_script_share < 0.7


def test_page_in_a_script_that_the_models_do_not_know_has_a_status_of_its_own(reader, latin_and_cyrillic):
    (row,) = OcrReader(reader).read_pages([np.pad(latin_and_cyrillic[CYRILLIC], 40, constant_values=255)])
    assert (row["status"], row["text"], row["unknown_script_share"]) == ("unknown_script", "", 1)
    assert row["mean_confidence"] == 0 and len(row["words"]) > 20
