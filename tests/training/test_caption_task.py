"""``pagebeam train caption`` whole, on four pictures: a red box is told from a green one."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from ocr_models.bundle import find_bundle
from ocr_models.captioning.captioner import Captioner
from ocr_models.errors import UsageError
from ocr_models.training.caption_task import CaptionTask
from ocr_models.training.cli import build_parser, config_of, main
from ocr_models.vocabulary import Vocabulary
from tests.captioning.pictures import COLORS, picture
from tests.shards import striped_word, word_example, write_captions, write_shard


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_captions(tmp_path_factory.mktemp("data"))


def arguments(output, data, *options):
    command = ["caption", "--arch", "show-and-tell-light", "--output", output, "--data", data]
    return [str(x) for x in [*command, "--batch-size", 8, *options]]


def configuration(*args):
    return config_of(build_parser().parse_args(arguments(*args)))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Phase one until the captions of the pictures are learned."""
    output = tmp_path_factory.mktemp("runs") / "tell"
    main(arguments(output, data, "--overfit", 4, "--steps", 80, "--validate-every", 40, "--decay-epochs", 1000))
    return output


def weights(bundle):
    network = keras.saving.load_model(bundle.model_path)
    return {weight.path: keras.ops.convert_to_numpy(weight) for weight in network.weights}


def test_captions_are_learned(trained):
    bundle = find_bundle(str(trained), "caption")
    assert bundle.config["metrics"]["score"] > 0.8 and bundle.config["metrics"]["perplexity"] < 2
    captions = Captioner.load(bundle).caption([picture(color) for color in COLORS])
    for color, n_best in zip(COLORS, captions, strict=True):
        assert f"a {color} box" in n_best[0].text


def test_run_is_resumed_with_its_backbone_and_features(trained, data, capsys):
    cache = trained.parent / "tell-run" / "features"
    before = {path.name: path.read_bytes() for path in cache.iterdir()}
    assert len(before) == 2  # the backbone, and a file of features
    main(arguments(trained, data, "--overfit", 4, "--steps", 81, "--decay-epochs", 1000))
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == before
    assert json.loads((trained.parent / "tell-run" / "checkpoint.json").read_text())["step"] == 81


def test_fine_tuning_trains_the_backbone_too(trained, data, tmp_path):
    """On a data set with a vocabulary of its own: the bundle's is kept."""
    first = find_bundle(str(trained), "caption")
    vocabulary = Vocabulary.load(first.vocabulary_path)
    other = Vocabulary([*vocabulary.words[:3], "purple", *reversed(vocabulary.words[3:])])
    more = write_captions(tmp_path / "more", vocabulary=other)
    options = ["--overfit", 4, "--init", first.path, "--fine-tune", "--steps", 2, "--batch-size", 4]
    main(arguments(tmp_path / "tuned", more, *options))

    bundle = find_bundle(str(tmp_path / "tuned"), "caption")
    assert Vocabulary.load(bundle.vocabulary_path).words == vocabulary.words
    assert bundle.config["training"]["options"]["fine_tune_rate"] == 0.0005
    before, after = weights(first), weights(bundle)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert any("conv1" in path for path in changed) and any("word_embedding" in path for path in changed)
    assert not [path for path in changed if "moving" in path or "standardize" in path]


def test_training_as_published(data, tmp_path):
    config = configuration(tmp_path / "out", data, "--overfit", 4, "--batch-size", 4)
    assert (config.learning_rate, config.keep_checkpoints, config.options.decay_epochs) == (2.0, 5, 8.0)
    task = CaptionTask(config)
    optimizer = task.make_optimizer()
    assert isinstance(optimizer, keras.optimizers.SGD) and optimizer.global_clipnorm == 5.0
    # 8 captions in batches of 4 are 2 steps an epoch, and 16 in 8 epochs.
    assert [task.learning_rate(step, 0) for step in (0, 15, 16, 31, 32)] == [2, 2, 1, 1, 0.5]
    assert task.charset.words[:3] == ("<S>", "</S>", "<UNK>")
    # The network hasn't learned yet: each of 13 words and marks and 3 special ones is about as likely.
    scores = task.validate().scores
    assert scores["score"] == 0 and 14 < scores["perplexity"] < 18
    inputs, truth = next(task.make_batches(1))
    assert inputs["features"].shape == (4, 256) and truth["weights"].shape == inputs["input_ids"].shape
    standard = task.network.standardize(inputs["features"])
    assert 0.3 < float(keras.ops.std(standard)) < 2


def test_pictures_for_validation_are_those_of_their_shards(data, tmp_path):
    write_captions(tmp_path, copies=2)
    write_captions(tmp_path, copies=1, split="validation")
    task = CaptionTask(configuration(tmp_path / "out", tmp_path, "--validation", tmp_path))
    assert task._steps_per_epoch == 8 * 2 / 8
    validation = task.validate()
    assert len(validation.samples) == len(validation.worst) == 4  # an untrained network is right about none
    assert validation.samples[0].image.shape == (60, 80, 3)
    assert validation.samples[0].caption.endswith("truth: a red box, on white paper.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--data and --validation go together"),
        (["--overfit", "2", "--validation", "elsewhere"], "--overfit and --validation"),
        (
            ["--fine-tune"],
            "--fine-tune continues from a captioner that phase one has trained: give its bundle by --init",
        ),
        (["--init", "bundle", "--backbone-weights", "file"], "--init and --backbone-weights"),
        (["--data", "nowhere/train-*", "--overfit", "2"], "nowhere/train-*: no file matches"),
        (["--backbone-weights", "nowhere.weights.h5", "--overfit", "2"], "--backbone-weights nowhere.weights.h5"),
        (["--init", "nowhere", "--fine-tune", "--overfit", "2"], "nowhere: no such model bundle"),
    ],
)
def test_command_that_cannot_work_is_refused(data, tmp_path, options, message):
    with pytest.raises(UsageError) as refusal:
        main(arguments(tmp_path / "out", data, *options))
    assert str(refusal.value).startswith(message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--overfit=0", "--decay-epochs=0", "--fine-tune=-1"])
def test_numbers_out_of_range_are_refused(data, tmp_path, option, capsys):
    with pytest.raises(SystemExit):
        main(arguments(tmp_path / "out", data, option))
    assert f"argument {option.partition('=')[0]}: " in capsys.readouterr().err


def test_words_are_no_captions(tmp_path):
    write_shard(tmp_path / "train-0", [word_example(striped_word("ab"), "ab")])
    with pytest.raises(UsageError, match="a data set for recognition, but one for caption was expected"):
        main(arguments(tmp_path / "out", tmp_path, "--overfit", 2))
