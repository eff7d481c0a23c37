"""``pagebeam caption`` as a whole: with a fake captioner for what happens around it, and with a real, untrained one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr_models.bundle import find_bundle, write_bundle
from ocr_models.io.images import ColorMode, decode_image
from pipelines.cli import main as cli
from pipelines.output.run_manifest import read_manifest
from tests.pipelines import samples
from tests.pipelines.conftest import comparable, read_rows
from tests.pipelines.fakes import GUILTY_WIDTH_PX

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def picture(seed: int, width: int = 60, height: int = 40) -> Image.Image:
    """A colored picture that no other seed gives."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def plain(color: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (8, 4), color)


def write_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for seed in range(count):
        picture(seed).save(folder / f"{seed}.png")
    return folder


def test_a_red_picture_is_red_in_every_kind_of_document(caption, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    plain(RED).save(folder / "a.png")
    plain(RED).convert("P").save(folder / "b.png")
    samples.write_tiff(folder / "c.tif", [plain(GREEN), plain(RED)])
    (folder / "d.pdf").write_bytes(samples.pdf_bytes(["1 0 0 rg 0 0 144 72 re f"]))
    records = [samples.sequence_example(samples.encoded(plain(color))) for color in (BLUE, RED)]
    (folder / "e.tfrecord").write_bytes(samples.tfrecord_bytes(records))

    status, rows = caption(folder, "--dpi", 72)

    assert status == 0
    assert [(Path(row["source_uri"]).name, row["page_index"], row["caption"]) for row in rows] == [
        ("a.png", 0, "8x4 rgb 255 0 0"),
        ("b.png", 0, "8x4 rgb 255 0 0"),
        ("c.tif", 0, "8x4 rgb 0 255 0"),
        ("c.tif", 1, "8x4 rgb 255 0 0"),
        ("d.pdf", 0, "144x72 rgb 255 0 0"),
        ("e.tfrecord", 0, "8x4 rgb 0 0 255"),
        ("e.tfrecord", 1, "8x4 rgb 255 0 0"),
    ]
    assert rows[0]["captions"] == [
        {"text": "8x4 rgb 255 0 0", "probability": 0.5},
        {"text": "a picture", "probability": 0.25},
    ]
    assert (rows[0]["width_px"], rows[0]["height_px"], rows[0]["captioner_id"]) == (8, 4, "fake-captioner@0")


def test_broken_pictures_fail_alone(caption, tmp_path):
    folder = write_pictures(tmp_path / "in", 5)
    _, good_rows = caption(folder, output="good")
    stages = samples.write_bad_files(folder)

    status, rows = caption(folder)

    assert status == 3
    assert comparable(row for row in rows if row["status"] == "ok") == comparable(good_rows)
    failed = {Path(row["source_uri"]).name: row["failure"]["stage"] for row in rows if row["status"] == "failed"}
    assert failed == stages
    manifest = read_manifest(str(tmp_path / "out"), rows[0]["run_id"])
    assert manifest["pages"] == {"found": 15, "known": 0, "left": 0, "expected": 15, "ok": 5, "failed": 10}
    assert manifest["models"] == {"captioner": {"id": "fake@0", "digest": "0"}}
    assert manifest["options"]["beam_width"] == 3


def test_a_picture_that_the_captioner_chokes_on_fails_without_its_batch(caption, tmp_path):
    folder = write_pictures(tmp_path / "in", 4)
    picture(9, width=GUILTY_WIDTH_PX).save(folder / "2.png")

    status, rows = caption(folder, "--workers", 1)

    assert status == 3
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "ok"]
    assert rows[2]["failure"]["error_type"] == "FloatingPointError"
    assert (rows[2]["width_px"], rows[2]["caption"], rows[2]["captions"]) == (GUILTY_WIDTH_PX, None, None)


def test_pages_and_captions_of_a_picture_share_a_folder_and_an_id(run, caption, tmp_path, capsys):
    folder = write_pictures(tmp_path / "in", 1)

    _, [page] = run(folder)
    _, [row] = caption(folder)

    assert page["page_id"] == row["page_id"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["captions", "documents", "pages", "runs"]
    out = capsys.readouterr().out
    assert f"{folder}/0.png, page 1:\n  60x40 rgb " in out
    assert "1 pages captioned, 0 failed" in out


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A captioner of the true architecture, small and untrained: its weights are large, so that pictures matter."""
    import keras

    from ocr_models.captioning.show_and_tell import ShowAndTell
    from ocr_models.vocabulary import Vocabulary

    keras.utils.set_random_seed(0)
    vocabulary = Vocabulary.build([("a", "dog", "runs", "on", "grass", ".")], min_count=1)
    network = ShowAndTell(len(vocabulary), "light", 36, 32, embedding_units=16, lstm_units=16, dropout=0.0)
    rng = np.random.default_rng(0)
    for weight in network.decoder.trainable_weights:
        weight.assign(rng.normal(0, 1, weight.shape))
    path = tmp_path_factory.mktemp("captioner")
    write_bundle(path, network, {"task": "caption", "arch": "show-and-tell-light"}, vocabulary)
    return path


def test_rows_are_what_the_captioner_says(bundle, tmp_path):
    from ocr_models.captioning.captioner import Captioner

    folder = write_pictures(tmp_path / "in", 11)
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:-500])
    files = sorted(folder.glob("?.png")) + sorted(folder.glob("??.png"))

    status = cli.main(["caption", str(folder), "--captioner", str(bundle), "--output", str(tmp_path / "out")])

    assert status == 3
    rows = {Path(row["source_uri"]).name: row for row in read_rows(tmp_path / "out", "captions")}
    assert rows.pop("broken.png")["failure"]["stage"] == "decode"
    captioner = Captioner.load(find_bundle(str(bundle), "caption"))
    expected = captioner.caption([decode_image(file.read_bytes(), ColorMode.RGB).pixels for file in files])
    assert len({captions[0].text for captions in expected}) > 1
    for file, captions in zip(files, expected, strict=True):
        row = rows.pop(file.name)
        assert row["captioner_id"] == captioner.captioner_id
        assert row["caption"] == captions[0].text
        assert [caption["text"] for caption in row["captions"]] == [caption.text for caption in captions]
        probabilities = [caption["probability"] for caption in row["captions"]]
        assert probabilities == pytest.approx([caption.probability for caption in captions], rel=1e-4)
    assert not rows
