"""``pagebeam train mnist-rows`` whole, on a few drawn digits: too short to read, long enough to see what is kept."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ocr_models.bundle import find_bundle
from ocr_models.charset import Charset
from ocr_models.data.mnist.rows import Rows, held_out_rows
from ocr_models.errors import UsageError
from ocr_models.recognition.text_recognizer import TextRecognizer
from ocr_models.records import Transcript
from ocr_models.training import mnist_rows_task
from ocr_models.training.cli import build_parser, config_of, main
from ocr_models.training.mnist_rows_task import MnistRowsTask, read_rows
from tests.mnist_files import draw_digits, write_mnist


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mnist")
    return str(write_mnist(folder, draw_digits(240, seed=1), draw_digits(40, seed=2)))


@pytest.fixture(autouse=True)
def short_validation(monkeypatch):
    monkeypatch.setattr(mnist_rows_task, "_VALIDATION_ROWS", 8)


@pytest.mark.parametrize("arch", ["crnn", "attention"])
def test_bundle_of_a_trained_reader_reads_rows_of_any_length(mnist, tmp_path, arch):
    output = tmp_path / "reader"
    command = ["mnist-rows", "--arch", arch, "--mnist", mnist, "--output", str(output)]

    assert main([*command, "--steps", "2", "--batch-size", "4"]) == 0

    bundle = find_bundle(str(output), "mnist-rows")
    assert bundle.config["arch"] == arch and bundle.config["training"]["options"] == {"mnist": mnist}
    assert bundle.config["metrics"]["step"] == 2 and {"score", "cer"} <= set(bundle.config["metrics"])
    assert Charset.load(bundle.charset_path).characters == "0123456789"
    counts = read_rows(TextRecognizer.load(bundle), held_out_rows(mnist, "test", 7, 3, seed=1))
    assert (counts.words, counts.truth_labels) == (3, 21)


def test_attention_learns_what_it_is_shown(mnist):
    task = MnistRowsTask(config(mnist, "--arch", "attention", "--batch-size", "4"))
    task.learner.compile(task.make_optimizer(), jit_compile=keras.backend.backend() == "jax")
    inputs, truth = next(task.make_batches(1))
    task.learner.optimizer.learning_rate = 2e-3
    losses = [float(task.learner.train_on_batch(inputs, truth)) for _ in range(12)]
    assert np.isfinite(losses).all() and losses[-1] < 0.8 * losses[0]


def config(mnist, *options):
    return config_of(build_parser().parse_args(["mnist-rows", "--mnist", mnist, "--output", "out", *options]))


def test_training_and_validation_see_no_test_digit(tmp_path):
    """With test files that are missing altogether, all that a training run reads is still there."""
    folder = write_mnist(tmp_path, draw_digits(60, seed=1), draw_digits(3, seed=2))
    for file in folder.glob("t10k-*"):
        file.unlink()
    task = MnistRowsTask(config(str(folder)))
    inputs, truth = next(task.make_batches(1))
    assert inputs.shape == (64, 32, 256, 1) and (truth["label_length"] == 5).all()
    assert 0 <= task.validate().scores["score"] <= 1


def test_rows_count_if_every_digit_is_right():
    class Script:
        """Reads 12 and 345 where 12 and 346 stand."""

        def read(self, crops):
            assert [crop.shape for crop in crops] == [(32, 256)] * 2
            return [Transcript("12", 1.0), Transcript("345", 1.0)]

    rows = Rows(np.zeros((2, 32, 256, 1), np.uint8), np.array([[2, 3, -1], [4, 5, 7]]), np.array([2, 3]))
    counts = read_rows(Script(), rows)
    assert counts.exact_share == 1 / 2 and counts.cer == 1 / 5


def test_missing_mnist_is_refused(tmp_path):
    with pytest.raises(UsageError, match="give --mnist the folder of MNIST's four files"):
        main(["mnist-rows", "--mnist", str(tmp_path), "--output", str(tmp_path / "reader")])
    with pytest.raises(SystemExit):
        main(["mnist-rows", "--output", str(tmp_path / "reader")])
