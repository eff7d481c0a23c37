"""A disk on which there is no room for a file, which a limit for the size of files stands for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from ocr_models import bundle
from ocr_models.training import checkpoints, cli
from ocr_models.training.checkpoints import Progress, save_checkpoint

FULL = """
import gc, resource, sys
from pathlib import Path
import keras
from ocr_models.bundle import write_bundle
from ocr_models.training.checkpoints import Progress, save_checkpoint

folder = Path(sys.argv[1])
model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(100)])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
for write in (
    lambda: save_checkpoint(model, Progress(step=2), folder / "run", keep=5),
    lambda: write_bundle(folder / "bundle", model, {"task": "recognition", "arch": "a"}),
):
    try:
        write()
    except OSError as error:
        print(error.strerror)
    gc.collect()
"""


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


def test_a_checkpoint_and_a_bundle_that_find_no_room_leave_what_was_there(tmp_path, model):
    run = tmp_path / "run"
    run.mkdir()
    progress = Progress(step=1)
    save_checkpoint(model, progress, run, keep=5)
    before = sorted(run.iterdir())

    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr  # not that of a segmentation fault
    assert done.stdout.splitlines() == ["File too large"] * 2
    assert sorted(run.iterdir()) == before and not (tmp_path / "bundle").exists()


def test_weights_are_those_that_keras_saves(tmp_path, model):
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 3)))
    checkpoints.save_weights(model, tmp_path / "a.weights.h5")
    other = keras.models.clone_model(model)
    other.compile("adam", "mse")
    for _ in range(2):
        other.train_on_batch(np.ones((2, 4)), np.ones((2, 3)))

    other.load_weights(tmp_path / "a.weights.h5")

    for ours, loaded in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, loaded)
    assert int(other.optimizer.iterations) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.weights.h5"]


def test_a_bundle_is_installed_where_files_cannot_have_two_names(tmp_path, model, monkeypatch):
    def refuse(*_):
        raise OSError("no hard links here")

    monkeypatch.setattr(bundle.os, "link", refuse)
    written = bundle.write_bundle(tmp_path / "bundle", model, {"task": "detection", "arch": "a"})

    assert {path.name for path in written.path.iterdir()} == {"config.json", "model.keras"}


def test_a_full_disk_is_said_in_one_line(monkeypatch, tmp_path):
    from ocr_models.training import loop

    def fill(*_, **__):
        raise OSError(28, "No space left on device", "run/checkpoint.json")

    monkeypatch.setattr(loop, "train", fill)
    with pytest.raises(cli.PagebeamError, match=r"^run/checkpoint.json can't be written .* goes on from the last"):
        cli.main(["recognition", "--output", str(tmp_path / "crnn"), "--fonts", str(Path("/nowhere"))])
