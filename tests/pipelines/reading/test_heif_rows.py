from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.io.test_heif import NEEDS_EXTRA, NOISE, encoded


def test_pictures_are_rows(run, tmp_path):
    avif = encoded(Image.fromarray(NOISE), "AVIF")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.avif").write_bytes(avif)
    (folder / "cut.avif").write_bytes(avif[:-200])
    (folder / "scan0001").write_bytes(avif + b"another")  # found by its content

    status, rows = run(folder)

    assert status == 3
    found = [(Path(row["source_uri"]).name, row["status"], row["width_px"], row["height_px"]) for row in rows]
    assert found == [("a.avif", "ok", 120, 80), ("cut.avif", "failed", None, None), ("scan0001", "ok", 120, 80)]
    assert rows[1]["failure"]["stage"] == "decode"


@NEEDS_EXTRA
def test_a_heic_is_a_row(run, tmp_path):
    (tmp_path / "a.heic").write_bytes(encoded(Image.fromarray(NOISE), "HEIF", orientation=6))

    status, [row] = run(tmp_path / "a.heic")

    assert (status, row["status"], row["width_px"], row["height_px"]) == (0, "ok", 80, 120)
