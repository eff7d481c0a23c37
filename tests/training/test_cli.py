"""``pagebeam train`` whole, on one small PDF: too short to learn anything, long enough to see what is kept."""

from __future__ import annotations

import json
import re

import h5py
import keras
import numpy as np
import pytest

from ocr_models.bundle import WEIGHTS, find_bundle, write_bundle
from ocr_models.charset import LATIN, PRINT, Charset
from ocr_models.detection.east import build_east
from ocr_models.errors import UsageError
from ocr_models.lexicon import Lexicon
from ocr_models.recognition.crnn import build_crnn
from ocr_models.training import detection_task, recognition_task
from ocr_models.training.cli import build_parser, config_of, main
from ocr_models.training.options import TASK_OPTIONS
from ocr_models.training.task import TrainingTask


@pytest.fixture(autouse=True)
def short_validation(monkeypatch):
    monkeypatch.setattr(recognition_task, "VALIDATION_WORDS", 20)
    monkeypatch.setattr(detection_task, "VALIDATION_PAGES", 1)


def arguments(task, output, pdfs, *options):
    return [task, "--output", str(output), "--pdfs", str(pdfs), *map(str, options)]


def steps_done(run):
    """Steps as the checkpoint counts them, and as its optimizer does."""
    state = json.loads((run / "checkpoint.json").read_text())
    with h5py.File(run / state["checkpoint"]) as weights:
        return state["step"], int(weights["optimizer/vars/0"][()])


def test_recognizer_is_trained_and_training_goes_on(pdfs, tmp_path, capsys):
    output, run = tmp_path / "crnn", tmp_path / "crnn-run"
    command = arguments("recognition", output, pdfs, "--batch-size", 4)

    assert main([*command, "--steps", "2"]) == 0

    bundle = find_bundle(str(output), "recognition")
    assert bundle.config["arch"] == "crnn-fast" and bundle.config["metrics"]["step"] == 2
    assert bundle.temperature == bundle.config["metrics"]["temperature"] > 0
    assert Charset.load(bundle.charset_path).characters == PRINT + " "
    assert keras.saving.load_model(bundle.model_path).output_shape == (None, None, len(PRINT) + 2)
    assert bundle.onnx_path
    assert json.loads((run / "config.json").read_text()) == bundle.config["training"]
    assert list((run / "logs").glob("events.*"))
    assert steps_done(run) == (2, 2)

    # A best score that can't be beaten: the run goes on where it was, and stops for want of anything better.
    state = json.loads((run / "checkpoint.json").read_text())
    state |= {"best_score": 2.0, "best_scores": {"score": 2.0, "cer": 0.25}}
    (run / "checkpoint.json").write_text(json.dumps(state))

    assert main([*command, "--steps", "50", "--validate-every", "1", "--patience", "1"]) == 0

    assert steps_done(run) == (3, 3)
    assert json.loads((run / "checkpoint.json").read_text())["best_score"] == 2
    assert find_bundle(str(output), "recognition") == bundle
    assert f"best: score=2.0000 cer=0.2500\nbundle: {output}\n" in capsys.readouterr().out


def test_attention_recognizer_starts_from_a_crnn(pdfs, tmp_path):
    output = tmp_path / "attention"
    crnn = build_crnn(len(LATIN) + 1, "crnn-light")
    write_bundle(tmp_path / "crnn", crnn, {"task": "recognition", "arch": "crnn-light"}, Charset(LATIN))
    options = ["--arch", "attention", "--cell", "lstm", "--init", tmp_path / "crnn", "--steps", 1, "--batch-size", 4]

    assert main(arguments("recognition", output, pdfs, *options, "--learning-rate", "1e-9")) == 0

    bundle = find_bundle(str(output), "recognition")
    assert bundle.config["arch"] == "attention" and bundle.config["training"]["options"]["attention"] == {
        "cell": "lstm"
    }
    network = keras.saving.load_model(bundle.model_path)
    assert network.get_layer("decoder").wrapper.cell.name.startswith("lstm")
    for name in ("conv1", "conv7", "bilstm2"):
        for weight, of_crnn in zip(
            network.get_layer(name).get_weights(), crnn.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_allclose(weight, of_crnn, atol=1e-6)


def test_detector_is_fine_tuned_with_its_backbone_as_it_was(pdfs, tmp_path):
    first = write_bundle(tmp_path / "first", build_east(), {"task": "detection", "arch": "east-fast"})
    options = ["--steps", 3, "--batch-size", 2, "--window-px", 64, "--init", first.path, "--freeze-backbone"]

    assert main(arguments("detection", tmp_path / "east", pdfs, *options)) == 0

    bundle = find_bundle(str(tmp_path / "east"), "detection")
    assert bundle.config["arch"] == "east-fast" and bundle.config["training"]["init"] == str(first.path)
    assert {"score", "precision", "recall"} <= set(bundle.config["metrics"])
    before, after = (keras.saving.load_model(b.model_path) for b in (first, bundle))
    changed = {
        layer.name
        for layer in before.layers
        for old, new in zip(layer.get_weights(), after.get_layer(layer.name).get_weights(), strict=True)
        if not np.array_equal(old, new)
    }
    assert {"merge_out", "merge_out_bn", "score_logits", "distances"} <= changed
    assert not [name for name in changed if name.startswith("stem_")]


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("recognition", ["--steps", "0"], "--steps 0: give at least 1"),
        ("recognition", ["--cell", "lstm"], "--cell is for --arch attention; crnn-fast has no such part"),
        ("detection", ["--window-px", "100"], "--window-px 100: must be a multiple of 32"),
        ("detection", ["--init", "east-enormous"], "east-enormous: no such model bundle"),
        ("recognition", ["--hold-out", "nowhere.txt"], "--hold-out nowhere.txt: no such file"),
    ],
)
def test_command_that_cannot_work_is_refused(pdfs, tmp_path, task, options, message):
    with pytest.raises(UsageError) as refusal:
        main(arguments(task, tmp_path / "bundle", pdfs, *options))
    assert str(refusal.value).startswith(message)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("recognition", ["--arch", "crnn-huge"], "invalid choice: 'crnn-huge'"),
        ("detection", ["--arch", "crnn-light"], "invalid choice: 'crnn-light'"),
        ("recognition", ["--window-px", "64"], "unknown option --window-px"),
        ("recognition", ["--schedule", "stairs"], "invalid choice: 'stairs'"),
    ],
)
def test_option_that_a_task_does_not_have_is_refused(pdfs, tmp_path, capsys, task, options, message):
    with pytest.raises((SystemExit, UsageError)) as refusal:
        main(arguments(task, tmp_path / "bundle", pdfs, *options))
    assert getattr(refusal.value, "code", UsageError.exit_status) == 2
    assert message in capsys.readouterr().err + str(refusal.value)


def test_remaining_time_is_that_of_the_limit_which_comes_first_and_a_resumed_run_says_what_was_spent(
    pdfs, tmp_path, capsys
):
    command = arguments("recognition", tmp_path / "crnn", pdfs, "--arch", "crnn-light", "--batch-size", 4)

    assert main([*command, "--hours", "0.002"]) == 0  # 7.2 s, and 100,000 steps

    said = capsys.readouterr().err
    left = [60 * int(minutes) + int(seconds) for minutes, seconds in re.findall(r"about (\d+):(\d\d) left", said)]
    assert left[0] == 7 and max(left) == 7 and left[-1] == 0 and left == sorted(left, reverse=True)
    assert "resuming" not in said and "had ended" not in said

    assert main([*command, "--steps", "1", "--hours", "0.01"]) == 0

    step = json.loads((tmp_path / "crnn-run/checkpoint.json").read_text())["step"]
    said = "".join(capsys.readouterr())
    spent = r"0\.\d\d of 0\.01 hours"  # a step is as long as the machine is busy
    assert re.search(rf"resuming {tmp_path}/crnn-run: step {step:,} of 1, {spent} of training", said)
    assert "this run had ended; to train on, give more --steps, --hours or --patience" in said


def test_warm_up_takes_at_most_a_tenth_of_a_run(pdfs, tmp_path):
    def rates(*options):
        args = build_parser().parse_args(
            arguments("detection", tmp_path / "east", pdfs, "--schedule", "plateau", *options)
        )
        task = TrainingTask()
        task.config = config_of(args)
        return [
            round(task.learning_rate(step, step / task.config.steps) / task.config.learning_rate, 4)
            for step in (0, 50, 150, 299)
        ]

    assert rates("--steps", 100_000) == [0.0033, 0.17, 0.5033, 1]
    assert rates("--steps", 1000) == [0.0033, 0.5, 1, 1]
    assert rates("--steps", 1000, "--warmup-steps", 10) == [0.1, 1, 1, 1]


@pytest.mark.parametrize("task", TASK_OPTIONS)
def test_help_of_a_task_explains_its_own_choices_alone(task, capsys):
    with pytest.raises(SystemExit):
        main([task, "--help"])

    told = capsys.readouterr().out
    for schedule in ("cosine", "plateau", "staircase"):
        assert (f"({schedule})" in told) == (schedule in TASK_OPTIONS[task].schedules)


def test_plateau_halves_the_learning_rate_and_checkpoints_are_kept(pdfs, tmp_path):
    output, run = tmp_path / "crnn", tmp_path / "crnn-run"
    options = ["--batch-size", 4, "--validate-every", 1, "--schedule", "plateau", "--keep-checkpoints", 2]
    assert main([*arguments("recognition", output, pdfs, *options), "--steps", "1"]) == 0
    state = json.loads((run / "checkpoint.json").read_text())
    (run / "checkpoint.json").write_text(json.dumps(state | {"best_score": 2.0}))

    assert main([*arguments("recognition", output, pdfs, *options), "--steps", "6"]) == 0

    # Five validations without a better score: halved after the second and the fourth.
    assert json.loads((run / "checkpoint.json").read_text())["plateau_factor"] == 0.25
    kept = sorted(path.name for path in run.glob("*.h5"))
    assert len(kept) == 2 and kept[-1] == "checkpoint-00000006.weights.h5"


def test_folder_of_another_run_is_refused(pdfs, tmp_path):
    output = tmp_path / "crnn"
    options = ["--batch-size", 4, "--steps", 1]
    assert main(arguments("recognition", output, pdfs, *options)) == 0
    with pytest.raises(UsageError, match="crnn-run has a run with arch crnn-fast, but now it is attention"):
        main(arguments("recognition", output, pdfs, *options, "--arch", "attention"))


def test_init_that_shares_no_layer_is_refused(pdfs, tmp_path):
    image = keras.Input((1,))
    write_bundle(tmp_path / "vgg", keras.Model(image, image), {"task": "detection", "arch": "east-vgg16"})
    with pytest.raises(UsageError, match="is east-vgg16, whose layers don't fit --arch east-fast"):
        main(arguments("detection", tmp_path / "bundle", pdfs, "--init", tmp_path / "vgg"))


def test_training_needs_data(tmp_path):
    with pytest.raises(UsageError, match="give --pdfs DIR"):
        main(["recognition", "--output", str(tmp_path / "bundle")])
    with pytest.raises(UsageError, match=f"under --pdfs {tmp_path}"):
        main(arguments("recognition", tmp_path / "bundle", tmp_path))


def test_options_become_the_configuration(pdfs):
    def configuration(*argv):
        return config_of(build_parser().parse_args(arguments(*argv)))

    words = configuration("recognition", "out", pdfs, "--steps", 7, "--learning-rate", 0.5, "--synthetic-share", 0.25)
    assert (words.arch, words.steps, words.learning_rate, words.batch_size) == ("crnn-fast", 7, 0.5, 64)
    assert words.options.data.pdfs == (str(pdfs),) and words.options.data.synthetic_share == 0.25
    assert words.options.data.line_share == 0
    lines = configuration("recognition", "out", pdfs, "--line-share", 0.5)
    assert lines.options.data.line_share == 0.5
    windows = configuration("detection", "out", pdfs, "--score-loss", "dice", "--arch", "east-vgg16")
    assert (windows.arch, windows.options.score_loss, windows.batch_size) == ("east-vgg16", "dice", 8)
    assert json.loads(json.dumps(windows.to_json()))["options"]["data"]["pdfs"] == [str(pdfs)]


def test_lexicon_is_put_into_a_crnns_bundle(tmp_path, capsys):
    config = {"task": "recognition", "arch": "crnn-fast"}
    bundle = write_bundle(tmp_path / "crnn", build_crnn(len(LATIN) + 1, "crnn-fast"), config, Charset(LATIN))
    words = tmp_path / "words"
    words.write_text("Crowding\nsister-in-law's\n", encoding="utf-8")

    assert main(["lexicon", "--output", str(bundle.path), "--lexicons", str(words)]) == 0

    written = find_bundle(str(bundle.path), "recognition")
    assert f"words: 5\nbundle: {written.path} is now {written.id}" in capsys.readouterr().out
    assert written.id != bundle.id and written.config["lexicons"] == [str(words)]
    lexicon = Lexicon.load(written.lexicon_path)
    assert all(word in lexicon for word in ("crowding", "sister", "in", "law", "s")) and "erowding" not in lexicon


@pytest.mark.parametrize(
    ("arch", "words", "complaint"),
    [
        (None, "word", "no such model bundle"),
        ("crnn-fast", "12\n", "a word list without words"),
        ("attention", "word", "an attention recognizer takes no lexicon"),
    ],
)
def test_lexicon_that_would_be_of_no_use_is_refused(arch, words, complaint, tmp_path):
    image = keras.Input((3,))
    if arch:
        write_bundle(
            tmp_path / "bundle", keras.Model(image, image), {"task": "recognition", "arch": arch}, Charset("a")
        )
    (tmp_path / "words").write_text(words)
    with pytest.raises(UsageError, match=complaint):
        main(["lexicon", "--output", str(tmp_path / "bundle"), "--lexicons", str(tmp_path / "words")])


def test_shipped_bundle_is_refused_as_output_before_anything_is_done():
    with pytest.raises(UsageError, match="crnn-fast: a bundle that comes with the package"):
        main(["mnist-rows", "--mnist", "nowhere", "--output", str(WEIGHTS / "crnn-fast")])
    assert not (WEIGHTS / "crnn-fast-run").exists()
