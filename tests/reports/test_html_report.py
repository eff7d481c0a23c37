from __future__ import annotations

import base64
import re

import cv2
import numpy as np

from ocr_models.reports.html_report import Chart, Code, EncodedPicture, Gallery, Picture, Section, Table, render_report


def test_every_kind_of_part_is_there():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    page = render_report(
        "A run",
        [
            Section(
                "Scores",
                [
                    "A paragraph.",
                    Table(["name", "score", "pages"], [["clean", 0.96664, 1234], ["scan", None, 5]]),
                    Chart("step", "loss", {"training": ([0, 1], [2.0, 1.0])}, diagonal=True),
                    Gallery([Picture(image, "two\nlines")]),
                    Code("pagebeam run <x>"),
                ],
            )
        ],
    )

    assert "<h1>A run</h1>" in page and "<h2>Scores</h2>" in page and "<p>A paragraph.</p>" in page
    assert '<td>clean</td><td class="number">0.9666</td><td class="number">1,234</td>' in page
    assert "<td>scan</td><td></td>" in page
    assert "<pre>pagebeam run &lt;x&gt;</pre>" in page
    svg = base64.b64decode(re.search(r"data:image/svg\+xml;base64,([^\"]+)", page).group(1)).decode()
    assert "<svg" in svg
    png = base64.b64decode(re.search(r"data:image/png;base64,([^\"]+)", page).group(1))
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], image)


def test_text_that_was_read_is_no_markup():
    hostile = '<script>alert("x")</script>'
    page = render_report(hostile, [Section(hostile, [hostile, Table([hostile], [[hostile]])])])

    assert "<script>" not in page and "&lt;script&gt;" in page


def test_encoded_pictures_go_in_as_they_are():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    jpeg, png = (cv2.imencode(extension, image)[1].tobytes() for extension in (".jpg", ".png"))

    page = render_report("A run", [Section("Pictures", [Gallery([EncodedPicture(jpeg), EncodedPicture(png)])])])

    assert "data:image/jpeg;base64," + base64.b64encode(jpeg).decode() in page
    assert "data:image/png;base64," + base64.b64encode(png).decode() in page
