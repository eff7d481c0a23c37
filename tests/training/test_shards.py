"""``pagebeam train --data`` whole, on a few small pictures: too short to learn, long enough to see what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from ocr_models.bundle import find_bundle, write_bundle
from ocr_models.charset import Charset
from ocr_models.errors import UsageError
from ocr_models.geometry import box_quads
from ocr_models.recognition.crnn import build_crnn
from ocr_models.training import recognition_task, task_options
from ocr_models.training.cli import build_parser, config_of, main
from ocr_models.training.recognition_task import RecognitionTask
from ocr_models.training.run_log import read_history
from tests.shards import page_example, striped_word, word_example, write_shard

TEXTS = ["ab", "abc", "bca", "cab", "é"]


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A data set whose last word has a character that a charset of ASCII lacks."""
    folder = tmp_path_factory.mktemp("words")
    for split in ("train", "validation"):
        examples = [word_example(striped_word(text, height=20), text) for text in TEXTS]
        write_shard(folder / f"{split}-00000-of-00001.tfrecord", examples)
    Charset("abcé").save(folder / "charset.txt")
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    image = np.full((200, 200), 255, np.uint8)
    image[30:50, 40:140] = 0
    page = page_example(image, box_quads(np.array([[40, 30, 140, 50]])), ["a"])
    for split in ("train", "validation"):
        write_shard(folder / f"{split}-00000-of-00001.tfrecord", [page] * 3)
    return folder


def arguments(task, output, data, *options):
    return [task, "--output", str(output), "--data", str(data), "--validation", str(data), *map(str, options)]


@pytest.fixture(scope="module")
def trained(words, tmp_path_factory):
    """The command of a run that has ended."""
    command = arguments("recognition", tmp_path_factory.mktemp("runs") / "crnn", words, "--batch-size", 4)
    assert main([*command, "--steps", "50", "--validate-every", "25"]) == 0
    return command


def test_recognizer_learns_the_charset_of_its_shards(words, trained):
    bundle = find_bundle(trained[2], "recognition")
    assert Charset.load(bundle.charset_path).characters == "abcé "
    assert bundle.config["training"]["options"]["data"] == {
        "training": str(words),
        "validation": str(words),
        "augment": True,
    }


def test_run_ends_with_a_report(trained):
    run = Path(f"{trained[2]}-run")
    history = read_history(run / "history.jsonl")
    assert [line["step"] for line in history] == [25, 50, 50]
    assert {"loss", "learning_rate", "share_of_time_waiting"} < set(history[1]) and "validation/score" in history[2]
    report = (run / "report.html").read_text()
    assert f"pagebeam train recognition --output {trained[2]}" in report
    assert "Curves" in report and "truth: " in report and "share of time waiting" in report
    events = b"".join(path.read_bytes() for path in (run / "logs").iterdir())
    assert b"samples/0" in events and b"validation/score" in events


def test_run_goes_not_on_with_other_characters(trained, tmp_path):
    for split in ("train", "validation"):
        write_shard(tmp_path / f"{split}-0", [word_example(striped_word("ab"), "ab")])
    Charset("ab").save(tmp_path / "charset.txt")
    with pytest.raises(UsageError, match="its weights don't fit this network, for example because the data have other"):
        main(arguments("recognition", trained[2], tmp_path, "--steps", 52))


def test_run_that_must_be_gone_on_with_is_there(trained, words, tmp_path):
    assert main([*trained, "--steps", "50", "--validate-every", "25", "--resume"]) == 0
    with pytest.raises(UsageError, match=r"--resume: .*crnn-run has no checkpoint to resume from"):
        main([*arguments("recognition", tmp_path / "crnn", words), "--resume"])
    assert not (tmp_path / "crnn-run").exists()


def test_history_goes_on_where_the_last_checkpoint_was(trained, capsys):
    run = Path(f"{trained[2]}-run")
    with (run / "history.jsonl").open("a") as file:
        file.write('{"step": 70, "loss": 1.0}\n{"step": 75, "lo')  # then it was killed
    assert main([*trained, "--steps", "51"]) == 0
    assert [line["step"] for line in read_history(run / "history.jsonl")] == [25, 50, 50, 51, 51]
    assert f"report: {run / 'report.html'}" in capsys.readouterr().out


def test_attention_learns_what_shards_show(words, tmp_path):
    options = ["--arch", "attention", "--batch-size", 2]
    task = RecognitionTask(config(arguments("recognition", tmp_path / "out", words, *options)))
    task.learner.compile(task.make_optimizer(), jit_compile=keras.backend.backend() == "jax")
    inputs, truth = next(task.make_batches(1))
    losses = [float(task.learner.train_on_batch(inputs, truth)) for _ in range(5)]
    assert inputs["image"].shape[:2] == (2, 32) and losses[-1] < losses[0]


def test_fine_tuning_keeps_the_charset_and_counts_what_it_lacks(words, tmp_path, capsys):
    record = {"task": "recognition", "arch": "crnn-fast"}
    first = write_bundle(tmp_path / "first", build_crnn(4, "crnn-fast"), record, Charset("abc"))
    options = ["--init", first.path, "--steps", 2, "--batch-size", 4]

    assert main(arguments("recognition", tmp_path / "tuned", words, *options)) == 0

    tuned = find_bundle(str(tmp_path / "tuned"), "recognition")
    assert Charset.load(tuned.charset_path).characters == "abc "
    assert "with characters outside the charset" in capsys.readouterr().out
    assert "with characters outside the charset" in (tmp_path / "tuned-run" / "report.html").read_text()
    # What it started from is scored first, or training that only harms would not be noticed.
    history = read_history(tmp_path / "tuned-run" / "history.jsonl")
    assert [line["step"] for line in history if "validation/score" in line] == [0, 2]


def test_word_outside_the_charset_counts_as_misread(words, tmp_path):
    first = write_bundle(
        tmp_path / "first", build_crnn(4, "crnn-fast"), {"task": "recognition", "arch": "crnn-fast"}, Charset("abc")
    )
    task = RecognitionTask(config(arguments("recognition", tmp_path / "out", words, "--init", first.path)))
    assert [word.text for word in task._words] == TEXTS
    assert "truth: é" in "\n".join(picture.caption for picture in task.validate().worst)


def config(argv):
    return config_of(build_parser().parse_args(argv))


def test_bundle_of_mixed_precision_computes_in_float32(words, tmp_path):
    options = ["--mixed-precision", "float16", "--steps", 3, "--batch-size", 4]
    assert main(arguments("recognition", tmp_path / "crnn", words, *options)) == 0
    network = keras.saving.load_model(find_bundle(str(tmp_path / "crnn"), "recognition").model_path)
    assert {layer.dtype_policy.name for layer in network.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    checkpoints = tmp_path / "crnn-run" / "checkpoint.json"
    assert json.loads(checkpoints.read_text())["step"] == 3
    with pytest.raises(UsageError, match="has a run with mixed_precision float16, but now it is None"):
        main(arguments("recognition", tmp_path / "crnn", words, "--steps", 4))


def test_detector_learns_from_shards(pages, tmp_path):
    options = ["--steps", 2, "--batch-size", 2, "--window-px", 64, "--no-augment"]
    assert main(arguments("detection", tmp_path / "east", pages, *options)) == 0
    bundle = find_bundle(str(tmp_path / "east"), "detection")
    assert {"score", "precision", "recall"} <= set(bundle.config["metrics"])
    assert bundle.config["training"]["options"]["data"]["augment"] is False
    assert "found (red), 1 true (green)" in (tmp_path / "east-run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("task", "data", "options", "message"),
    [
        ("recognition", "pages", [], "prepare it with --task recognition"),
        ("detection", "words", [], "a data set for recognition, but one for detection was expected"),
        ("recognition", "words", ["--fonts", "somewhere"], "--data and --pdfs or --fonts: give only one of the two"),
        ("recognition", "words", ["--validation", "nowhere-*"], "nowhere-*: no file matches nowhere-*"),
        ("recognition", "words", ["--validation", ""], "--data and --validation go together"),
    ],
)
def test_command_that_cannot_work_is_refused(request, tmp_path, task, data, options, message):
    with pytest.raises(UsageError) as refusal:
        main(arguments(task, tmp_path / "bundle", request.getfixturevalue(data), *options))
    assert message in str(refusal.value)
    assert not (tmp_path / "bundle").exists() and not (tmp_path / "bundle-run").exists()


def test_shards_without_a_text_to_validate_on_are_refused(words, tmp_path):
    write_shard(tmp_path / "validation-0", [word_example(striped_word("ab"), "")])
    with pytest.raises(UsageError, match="the validation shards have no word with a text"):
        main([*arguments("recognition", tmp_path / "out", words), "--validation", str(tmp_path)])


def test_samples_are_the_same_words_each_time(words, tmp_path, monkeypatch):
    monkeypatch.setattr(recognition_task, "SAMPLES", 3)
    task = RecognitionTask(config(arguments("recognition", tmp_path / "out", words)))
    samples = task.validate().samples
    assert [picture.caption.split("truth: ")[1] for picture in samples] == TEXTS[:3]


def test_shards_need_tensorflow(words, tmp_path, monkeypatch):
    monkeypatch.setattr(task_options.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"read by TensorFlow, which isn't installed; pip install tensorflow"):
        main(arguments("recognition", tmp_path / "bundle", words))
