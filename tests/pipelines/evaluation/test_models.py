"""``pagebeam evaluate`` with the models that ship, and with a captioner that learned nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from ocr_models.bundle import find_bundle, write_bundle
from tests.captioning.pictures import picture
from tests.pipelines import samples
from tests.pipelines.evaluation.evaluations import read_evaluation, run
from tests.shards import page_example, word_example, write_captions, write_shard

WORDS = ("Cargo", "seven", "Harbour", "of", "1824")


def draw(word: str, width: int = 220) -> np.ndarray:
    """A word in OpenCV's own font, uint8 (48, W)."""
    image = np.full((48, width), 255, np.uint8)
    cv2.putText(image, word, (8, 34), 0, cv2.FontFace("sans"), 28)
    return image[:, : int(np.flatnonzero((image < 128).any(axis=0)).max()) + 6]


def test_an_attention_recognizer_shows_where_it_looked(tmp_path):
    examples = [word_example(draw(word), word, f"{word}.png") for word in WORDS]
    examples += [word_example(draw("Cargo"), "Car90", "wrong.png")]
    write_shard(tmp_path / "data" / "test-00000-of-00001.tfrecord", examples)
    given = ["--format", "shards", "--recognizer", "attention", "--output", tmp_path / "out"]

    assert run(tmp_path / "data", *given) == 0

    summary, rows, report = read_evaluation(tmp_path / "out")
    right = [row["name"] for row in rows if row["right"]]
    assert right and "wrong.png" not in right
    assert summary["scores"]["recognition"]["accuracy"] == pytest.approx(len(right) / 6)
    assert "Where the attention was" in report
    # Each wrong word twice: its crop, and the crop above a row for each character.
    assert report.count("data:image/png") == 2 * (6 - len(right))


@pytest.mark.parametrize("task", ["ocr", "detection"])
def test_pages_are_found_and_read(tmp_path, task):
    page = np.full((400, 600), 255, np.uint8)
    quads = []
    for i, word in enumerate(WORDS):
        crop = draw(word)
        top, left = 40 + 70 * i, 60
        page[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
        rows, columns = (np.flatnonzero((crop < 128).any(axis=axis)) for axis in (1, 0))
        x0, x1, y0, y1 = left + columns.min(), left + columns.max() + 1, top + rows.min(), top + rows.max() + 1
        quads.append([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    write_shard(tmp_path / "data" / "x.tfrecord", [page_example(page, np.array(quads), WORDS, "page.png")])

    assert run(tmp_path / "data", "--format", "shards", "--task", task, "--output", tmp_path / "out") == 0

    summary, [row], _ = read_evaluation(tmp_path / "out")
    assert summary["scores"]["detection"]["matched"] >= 4 and row["detection_recall"] >= 0.8
    assert set(summary["models"]) == ({"detector", "recognizer"} if task == "ocr" else {"detector"})
    assert ("bag_of_words" in summary["scores"]) == (task == "ocr")
    if task == "ocr":
        assert summary["scores"]["words_by_box"]["matched"] >= 4


def test_a_captioner_is_scored(tmp_path):
    from ocr_models.captioning.captioner import Captioner
    from ocr_models.captioning.show_and_tell import ShowAndTell
    from ocr_models.vocabulary import Vocabulary

    vocabulary = Vocabulary.build([("a", "red", "box", "on", "paper", ".")], min_count=1)
    network = ShowAndTell(len(vocabulary), "light", 36, 32, embedding_units=16, lstm_units=16, dropout=0.0)
    rng = np.random.default_rng(0)
    for weight in network.decoder.trainable_weights:
        weight.assign(rng.normal(0, 1, weight.shape))
    bundle = tmp_path / "captioner"
    write_bundle(bundle, network, {"task": "caption", "arch": "show-and-tell-light"}, vocabulary)
    data = write_captions(tmp_path / "data", split="test")

    assert run(data, "--format", "shards", "--captioner", bundle, "--output", tmp_path / "out") == 0

    summary, rows, _ = read_evaluation(tmp_path / "out")
    assert all(len(row["references"]) == 2 for row in rows)
    assert summary["pictures"]["scored"] == len(rows) > 1
    captioner = Captioner.load(find_bundle(str(bundle), "caption"))
    for row in rows:
        [captions] = captioner.caption([picture(row["name"].partition("-")[0])])
        assert row["caption"] == captions[0].text


def test_no_captioner_ships(tmp_path, capsys):
    data = write_captions(tmp_path / "data", split="test")

    assert run(data, "--format", "shards", "--output", tmp_path / "out") == 2

    assert "--captioner is missing" in capsys.readouterr().err


def test_a_blank_page_is_no_error(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "blank.png").write_bytes(samples.encoded(Image.new("L", (300, 200), 255)))
    (tmp_path / "data" / "gt_blank.txt").write_text("")

    assert run(tmp_path / "data", "--format", "icdar", "--output", tmp_path / "out") == 0

    summary, [row], _ = read_evaluation(tmp_path / "out")
    assert summary["scores"] == {} and row["word_f"] == 0
