"""``pagebeam evaluate`` as a whole, against what the scores of single pictures add up to."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr_models.bundle import WEIGHTS, find_bundle
from ocr_models.data.sources.formats import open_source
from ocr_models.data.sources.source import LocalFiles, SourceOptions
from ocr_models.io.predictions import PredictedPage, PredictedWord, prediction_name, read_predictions
from ocr_models.records import Example, Task
from pipelines.decoding.child import answer
from pipelines.evaluation import evaluate
from pipelines.evaluation.labelled_data import find_scored_shards
from pipelines.evaluation.scores import Rules, Scores, score_picture
from pipelines.evaluation.truth import ReadItem
from tests.pipelines import samples
from tests.pipelines.evaluation.evaluations import read_evaluation, run
from tests.shards import page_example, striped_word, word_example, write_shard

BOXES = {"one": (10, 10, 50, 30), "two": (60, 10, 100, 30), "three": (10, 40, 70, 60), "###": (110, 10, 150, 30)}


def icdar_line(text: str) -> str:
    left, top, right, bottom = BOXES[text]
    return f"{left},{top},{right},{top},{right},{bottom},{left},{bottom},{text}\n"


def write_page(folder: Path, name: str, *texts: str) -> None:
    samples.write_png(folder / f"{name}.png", seed=len(name), width=200, height=100)
    (folder / f"gt_{name}.txt").write_text("".join(map(icdar_line, texts)))


def write_hocr(path: Path, *words: tuple[str, tuple[int, ...], int]) -> None:
    spans = "".join(
        f"<span class='ocrx_word' title='bbox {' '.join(map(str, box))}; x_wconf {confidence}'>{text}</span> "
        for text, box, confidence in words
    )
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"<html><body><div class='ocr_page'><span class='ocr_line'>{spans}</span></div></body></html>")


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Two pages, of which one has no prediction, a broken one, and a prediction for none of them."""
    folder = tmp_path / "pages"
    folder.mkdir()
    write_page(folder, "a", "one", "two", "###")
    write_page(folder, "b", "three")
    write_page(folder, "broken", "one")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:300])
    write_hocr(
        tmp_path / "hocr" / "a.hocr",
        ("one", BOXES["one"], 90),
        ("tvvo", BOXES["two"], 80),
        ("ghost", (10, 70, 50, 90), 70),
        ("noise", BOXES["###"], 60),
    )
    write_hocr(tmp_path / "hocr" / "unused.hocr", ("one", BOXES["one"], 90))
    return folder


def evaluate_hocr(pages: Path, output: Path, *arguments: object) -> int:
    hocr = pages.parent / "hocr"
    given = ["--format", "icdar", "--predictions", hocr, "--predictions-format", "hocr", "--output", output]
    return run(pages, *given, *arguments)


def test_a_tools_pages_are_scored_and_nothing_is_left_out(pages, tmp_path, capsys):
    status = evaluate_hocr(pages, tmp_path / "out")

    assert status == 3
    summary, rows, report = read_evaluation(tmp_path / "out")
    assert summary["task"] == "ocr"
    assert summary["pictures"] == {"scored": 2, "failed": 1, "missing": 1, "unplaced": 0, "of_lines": 0}
    assert summary["predictions"]["unused"] == ["unused"]
    # Page a: "one" is right; "tvvo" and "ghost" are not, "noise" is ignored. Page b: "three" is missed.
    bag = summary["scores"]["bag_of_words"]
    assert (bag["matched"], bag["predicted"], bag["true"]) == (1, 3, 3)
    assert bag["f_score"] == pytest.approx(2 / 6)
    found = summary["scores"]["detection"]
    assert (found["matched"], found["predicted"], found["true"]) == (2, 3, 3)
    assert summary["scores"]["words_by_box"]["matched"] == 1
    # "one tvvo ghost" for "one two": 1 + 1 + 6 edits; "" for "three": 5; of 7 + 5 characters.
    assert summary["scores"]["page_text"] == {"cer": 13 / 12, "edits": 13, "characters": 12}
    # Two words stand where true ones do: 0.9 and right, 0.8 and wrong: (|1 - 0.9| + |0 - 0.8|) / 2.
    assert summary["calibration"]["expected_calibration_error"] == pytest.approx(0.45, abs=1e-6)
    assert [(row["name"], row["status"]) for row in rows] == [
        ("a.png", "ok"),
        ("b.png", "ok"),
        ("broken.png", "failed"),
    ]
    assert rows[2]["stage"] == "decode" and not rows[1]["predicted"]
    assert "Pictures that could not be scored" in report and "broken.png" in report
    assert "truth: two\nread: tvvo" in report
    out = capsys.readouterr().out
    assert "word F1 0.3333" in out and "2 scored, 1 failed, 1 without a prediction, 1 predictions without a" in out
    assert "predictions    for 1 of 2 pictures; none for b.png; no picture for unused\n" in out


def test_messages_are_for_people_or_programs_or_nobody(pages, tmp_path, capsys):
    statuses = [evaluate_hocr(pages, tmp_path / "out", option) for option in ("--quiet", "--log-format=json")]

    [line] = capsys.readouterr().out.splitlines()
    told, summary = json.loads(line), read_evaluation(tmp_path / "out")[0]
    assert statuses == [3, 3] and {name: summary[name] for name in told} == told
    assert {"scores", "pictures", "models"} <= told.keys()


def test_predictions_for_other_pictures_are_refused(pages, tmp_path, capsys):
    (tmp_path / "hocr" / "a.hocr").unlink()
    (pages / "broken.png").unlink(), (pages / "gt_broken.txt").unlink()
    assert evaluate_hocr(pages, tmp_path / "out") == 1
    assert "predictions for unused, but pictures are named a, b; name the" in capsys.readouterr().err
    assert not (tmp_path / "out" / "evaluation.json").exists()


def test_lines_without_words_are_scored_by_text(pages, tmp_path, capsys):
    (tmp_path / "hocr" / "unused.hocr").rename(tmp_path / "hocr" / "b.png.hocr")
    for name, text in (("a.hocr", "one two"), ("b.png.hocr", "three")):
        line = f"<div class='ocr_page'><span class='ocr_line' title='bbox 10 10 100 30'>{text}</span></div>"
        (tmp_path / "hocr" / name).write_text(line)
    assert evaluate_hocr(pages, tmp_path / "out") == 3
    summary, _, _ = read_evaluation(tmp_path / "out")
    assert summary["scores"]["bag_of_words"]["f_score"] == 1 and summary["scores"]["page_text"]["cer"] == 0
    assert not summary["scores"].keys() & {"detection", "words_by_box"}
    assert "0 predictions without a picture, 2 by text alone\n" in (out := capsys.readouterr().out)
    assert "for 2 of 2 pictures\n" in out


def test_the_run_equals_the_sum_of_single_pages(pages, tmp_path):
    assert evaluate_hocr(pages, tmp_path / "out") == 3

    source = open_source("icdar", str(pages), SourceOptions())
    predictions = read_predictions(tmp_path / "hocr", "hocr")
    total = Scores(failed=1)
    for item in source.items(LocalFiles()):
        if "broken" not in item.name:
            [picture] = answer(ReadItem(source, item, item.path, "L")).value.pictures
            total += score_picture(
                picture.example, (), predictions.get(prediction_name(picture.name)), Rules(Task.OCR)
            ).scores
    summary, _, _ = read_evaluation(tmp_path / "out")
    found = summary["scores"]["detection"]
    assert (found["precision"], found["recall"]) == (total.detection.precision, total.detection.recall)
    assert summary["scores"]["bag_of_words"]["f_score"] == total.page.bag.f_score
    assert summary["scores"]["words_by_box"]["f_score"] == total.page.boxes.f_score
    assert summary["scores"]["page_text"]["cer"] == total.page.cer
    assert summary["calibration"]["expected_calibration_error"] == total.calibration.expected_calibration_error
    assert summary["pictures"]["missing"] == total.missing


def comparable(summary: dict) -> dict:
    of_the_run = ("command", "elapsed_s", "source", "format", "splits")
    return {name: value for name, value in summary.items() if name not in of_the_run}


def test_neither_workers_nor_shards_change_a_score(pages, tmp_path):
    source = open_source("icdar", str(pages), SourceOptions())
    items = [item for item in source.items(LocalFiles()) if "broken" not in item.name]
    examples = [next(source.read(item, item.path)).examples[0] for item in items]
    for page in ("broken.png", "gt_broken.txt"):
        (pages / page).unlink()
    assert evaluate_hocr(pages, tmp_path / "of-source", "--workers", 1) == 0
    for shards in (1, 2):
        for number in range(shards):
            path = tmp_path / f"{shards}" / f"test-{number:05d}-of-{shards:05d}.tfrecord"
            write_shard(path, examples[number::shards])
    processes = "--direct_running_mode=multi_processing"
    for name, shards, workers in (("one", 1, ["--workers", 1]), ("two", 2, ["--workers", 2, processes])):
        given = ["--predictions", tmp_path / "hocr", "--predictions-format", "hocr", "--output", tmp_path / name]
        assert run(tmp_path / str(shards), "--format", "shards", *given, *workers) == 0

    expected, rows, _ = read_evaluation(tmp_path / "of-source")
    for name in ("one", "two"):
        summary, found_rows, _ = read_evaluation(tmp_path / name)
        assert found_rows == rows
        assert comparable(summary) == comparable(expected)


def test_lines_and_words_without_a_place_count_as_text_alone(tmp_path):
    folder = tmp_path / "data"
    for name in ("line", "somewhere"):
        samples.write_png(folder / f"{name}.png", seed=1, width=200, height=100)
    records = [
        {"image": "line.png", "words": [{"text": "one two three", "box": [10, 10, 150, 30]}]},
        {"image": "somewhere.png", "words": [{"text": "far", "box": None}, {"text": "away", "box": None}]},
    ]
    (folder / "labels.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    words = [(text, (10 + 50 * i, 10, 50 + 50 * i, 30), 90) for i, text in enumerate(("one", "tvvo", "three"))]
    write_hocr(tmp_path / "hocr" / "line.hocr", *words, ("ghost", (10, 60, 50, 80), 90))
    write_hocr(tmp_path / "hocr" / "somewhere.hocr", ("far", (0, 0, 50, 50), 90))
    given = ["--predictions", tmp_path / "hocr", "--predictions-format", "hocr", "--output", tmp_path / "out"]

    assert run(folder, "--format", "jsonl", *given) == 0

    summary, rows, report = read_evaluation(tmp_path / "out")
    assert (summary["pictures"]["of_lines"], summary["pictures"]["unplaced"]) == (1, 1)
    assert "words_by_box" not in summary["scores"]
    bag = summary["scores"]["bag_of_words"]
    assert (bag["matched"], bag["predicted"], bag["true"]) == (3, 5, 5)
    assert "detection_f" not in rows[1] and rows[0]["detection_recall"] == 0
    assert "truth: one two three\nread: one tvvo three" in report
    assert "0 missed, 1 read wrong, 1 invented" in report


def test_captions_of_a_picture_count_together_wherever_its_records_are(tmp_path):
    data = samples.encoded(Image.new("RGB", (60, 40), "red"))
    captions = [("a", "red", "box"), ("one", "red", "thing", "on", "paper")]
    for number, caption in enumerate(captions):
        example = Example("boxes/red.png", data, "png", 40, 60, caption=caption, caption_ids=(0, 3, 1))
        write_shard(tmp_path / "data" / f"test-{number:05d}-of-00002.tfrecord", [example])
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "red.txt").write_text("A red thing on it.")
    given = ["--predictions", tmp_path / "text", "--predictions-format", "text", "--output", tmp_path / "out"]

    assert run(tmp_path / "data", "--format", "shards", *given) == 0

    summary, rows, report = read_evaluation(tmp_path / "out")
    scores = summary["scores"]["captions"]
    # "a red thing on it" against both: 4 of 5 words; "a red", "red thing", "thing on" of 4 pairs; "red thing on" of 3.
    assert scores["matches"] == [4, 3, 1, 0] and scores["totals"] == [5, 4, 3, 2]
    assert scores["bleu_1"] == pytest.approx(4 / 5)  # a reference has 5 words, too: no penalty
    assert scores["bleu_2"] == pytest.approx((4 / 5 * 3 / 4) ** 0.5)
    assert scores["bleu_4"] == 0
    [row] = rows
    assert row["name"] == "boxes/red.png" and sorted(row["references"]) == ["a red box", "one red thing on paper"]
    assert "said: A red thing on it.\n" in report


class StripesPredictor:
    """Reads ``striped_word`` crops, with one fault: it takes every "l" for "1", and isn't sure of it."""

    color_mode = "L"
    batch_size = 3

    def predict(self, pictures):
        return [self._predict(picture) for picture in pictures]

    def _predict(self, picture) -> PredictedPage:
        text = "".join(map(chr, picture.pixels[16, 6::12]))
        if text == "boom":
            raise FloatingPointError("the model choked")
        read = text.replace("l", "1")
        return PredictedPage("", read, (PredictedWord(read, None, 0.9 if read == text else 0.3),))


def write_words(folder: Path, *texts: str) -> Path:
    write_shard(
        folder / "words-00000-of-00001.tfrecord",
        [word_example(striped_word(text or "?"), text, f"{i}.png") for i, text in enumerate(texts)],
    )
    return folder


def load_stripes(*_) -> StripesPredictor:
    return StripesPredictor()


def test_words_are_scored_and_a_bad_one_fails_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "_load_models", load_stripes)
    data = write_words(tmp_path / "data", "Hello", "boom", "world", "Sun", "")

    status = run(data, "--format", "shards", "--output", tmp_path / "out")

    assert status == 3
    summary, rows, report = read_evaluation(tmp_path / "out")
    words = summary["scores"]["recognition"]
    # "He11o" and "wor1d": one word of three is right; 3 edits of 5 + 5 + 3 characters.
    assert words["accuracy"] == pytest.approx(1 / 3) and words["cer"] == pytest.approx(3 / 13)
    assert words["wer"] == pytest.approx(2 / 3) and words["confusions"] == [["l", "1", 3]]
    failed = {row["name"]: (row["stage"], row["reason"]) for row in rows if row["status"] == "failed"}
    assert failed["1.png"] == ("read", "FloatingPointError: the model choked")
    assert failed["4.png"][0] == "label"
    assert "truth: Hello\nread: He11o\nconfidence 0.300" in report
    assert summary["models"]["recognizer"]["id"] == find_bundle("crnn-fast", "recognition").id


def test_a_temperature_is_fitted_and_stored(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "_load_models", load_stripes)
    bundle = tmp_path / "copy"
    shutil.copytree(WEIGHTS / "crnn-fast", bundle)
    data = write_words(tmp_path / "data", *["Sun"] * 9, "Sol", *["Hello"] * 3)
    arguments = [data, "--format", "shards", "--fit-temperature", "--output", tmp_path / "out"]

    assert run(*arguments, "--recognizer", bundle) == 0

    summary, _, _ = read_evaluation(tmp_path / "out")
    fitted = summary["temperature"]["fitted"]
    assert find_bundle(str(bundle), "recognition").temperature == fitted
    # All that was said with 0.9 is right and all with 0.3 wrong: more certainty is better, up to the bound.
    assert fitted < 0.2
    assert summary["temperature"]["calibration"]["expected_calibration_error"] < 0.01
    assert run(*arguments) == 2  # the one that ships stays as it is
    assert "ships with the package" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--predictions", "hocr"], "--predictions-format go together"),
        (["--captioner", "x"], "--captioner can't be used with task ocr"),
        (["--task", "caption"], "caption"),
        (["--task", "detection", "--recognizer", "crnn-fast"], "--recognizer can't be used with task detection"),
        (["--task", "detection", "--fit-temperature"], "--task recognition or ocr"),
        (["--detector", "nowhere"], "nowhere: no such model bundle"),
        (["--what", "now"], "unknown option --what"),
    ],
)
def test_a_wrong_command_is_refused_before_any_work(pages, tmp_path, capsys, arguments, said):
    assert run(pages, "--format", "icdar", "--output", tmp_path / "out", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_shards_of_a_data_set_are_its_test_split(tmp_path):
    for split in ("train", "test"):
        write_shard(tmp_path / f"{split}-00000-of-00001.tfrecord", [page_example(np.zeros((9, 9), np.uint8), [], [])])
    (tmp_path / "contact_sheet.png").write_bytes(samples.encoded(Image.new("L", (9, 9))))

    names = [[Path(uri).name[:5] for uri in find_scored_shards(f"{tmp_path}{end}")] for end in ("", "/t*")]

    assert names == [["test-"], ["test-", "train"]]


@pytest.mark.parametrize(
    ("names", "choices"),
    [
        (
            ["train-00000-of-00002.tfrecord", "train-00001-of-00002.tfrecord", "validation-00000-of-00001.tfrecord"],
            "train ('{}/train-*') or validation ('{}/validation-*')",
        ),
        (["words-Train.tfrecord-00000-of-00001", "latest-00000-of-00001"], "train ('{}/words-Train.tfrecord-*')"),
        (["val/part-1.tfrecord", "other.tfrecord"], "validation ('{}/val/*')"),
    ],
)
def test_a_data_set_without_a_test_split_is_refused(tmp_path, capsys, names, choices):
    for name in names:
        write_shard(tmp_path / "data" / name, [page_example(np.zeros((9, 9), np.uint8), [], [])])

    assert run(tmp_path / "data", "--format", "shards", "--output", tmp_path / "out") == 2

    said = capsys.readouterr().err
    assert f"{tmp_path / 'data'}: no test split" in said
    assert choices.replace("{}", str(tmp_path / "data")) in said


def test_shards_whose_names_tell_no_split_are_all_scored(tmp_path):
    for name in ("a.tfrecord", "latest-00000-of-00001", "contest/b.tfrecord"):
        write_shard(tmp_path / name, [page_example(np.zeros((9, 9), np.uint8), [], [])])

    assert len(find_scored_shards(str(tmp_path))) == 3


def test_the_split_and_the_model_are_named_as_the_user_calls_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "_load_models", load_stripes)
    data = write_words(tmp_path / "data", "Sun", "moon")
    [shard] = data.iterdir()
    shard.rename(data / "validation-00000-of-00001.tfrecord")
    given = ["--format", "shards", "--recognizer", "./ocr_models/weights/crnn-fast", "--output", tmp_path / "out"]

    assert run(f"{data}/val*", *given) == 0

    summary, _, report = read_evaluation(tmp_path / "out")
    assert summary["splits"] == ["validation"]
    assert summary["models"]["recognizer"]["name"] == "./ocr_models/weights/crnn-fast"
    assert "./ocr_models/weights/crnn-fast (crnn-fast@" in report and "validation</td>" in report
    out = capsys.readouterr().out
    assert f"data           {data}/val*, split validation\n" in out
    assert "recognizer     ./ocr_models/weights/crnn-fast\n" in out


def test_records_that_are_cut_off_fail_and_the_others_are_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "_load_models", load_stripes)
    data = write_words(tmp_path / "data", "Sun", "moon", "stars")
    [shard] = data.iterdir()
    (data / "cut.tfrecord").write_bytes(shard.read_bytes()[:9])  # before the other by name
    (data / "empty.tfrecord").write_bytes(b"")
    (data / "empty.tfrecord.gz").write_bytes(gzip.compress(b""))
    shard.write_bytes(shard.read_bytes()[:-20])

    assert run(f"{data}/*", "--format", "shards", "--output", tmp_path / "out") == 3

    summary, rows, _ = read_evaluation(tmp_path / "out")
    assert (summary["pictures"]["scored"], summary["pictures"]["failed"]) == (2, 2)
    failed = {row["name"]: (row["stage"], row["reason"]) for row in rows if row["status"] == "failed"}
    assert failed[f"{shard.name}#2"] == ("open", "the file ends within this TFRecord: it is cut short")
    assert failed["cut.tfrecord"][1].endswith("and ends after 9 bytes")


def test_page_xml_is_scored_on_pictures_of_another_size(tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    write_page(folder, "a", "one", "two")
    words = "".join(
        f'<Word><Coords points="{2 * x0},{2 * y0} {2 * x1},{2 * y0} {2 * x1},{2 * y1} {2 * x0},{2 * y1}"/>'
        f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv></Word>"
        for text, (x0, y0, x1, y1) in [("one", BOXES["one"]), ("tvvo", BOXES["two"])]
    )
    (tmp_path / "xml").mkdir()
    (tmp_path / "xml/a.xml").write_text(
        '<PcGts><Page imageFilename="a.png" imageWidth="400" imageHeight="200">'
        f"<TextRegion><TextLine>{words}</TextLine></TextRegion></Page></PcGts>"
    )

    read = ["--predictions", tmp_path / "xml", "--predictions-format", "page"]
    assert run(folder, "--format", "icdar", "--output", tmp_path / "out", *read) == 0

    summary, _, _ = read_evaluation(tmp_path / "out")
    assert summary["scores"]["words_by_box"]["f_score"] == 0.5
    assert summary["scores"]["detection"]["f_score"] == 1


def test_two_pictures_of_one_name_cannot_be_matched(tmp_path, capsys):
    for folder in ("x", "y"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        write_page(tmp_path / "data" / folder, "a", "one")
    write_hocr(tmp_path / "hocr" / "a.hocr", ("one", BOXES["one"], 90))
    given = ["--predictions", tmp_path / "hocr", "--predictions-format", "hocr", "--output", tmp_path / "out"]

    assert run(tmp_path / "data", "--format", "icdar", *given) == 1

    assert "x/a.png and y/a.png would both match the prediction named a" in capsys.readouterr().err
    assert not (tmp_path / "out" / "evaluation.json").exists()
