from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tqdm import tqdm

from ocr_models.training.checkpoints import Progress
from ocr_models.training.config import TrainingConfig
from ocr_models.training.loop import _Run
from ocr_models.training.task import Validation


@pytest.mark.parametrize(
    ("init_share", "wanted", "kept"),
    [
        (0.0, 3.0, 3.0),  # the mean of 2 and 4
        (0.5, 2.0, 2.0),  # half of that and half of 1, the weight to start from
        (0.5, 9.0, 9.0),  # the weight of the network itself is better
    ],
)
def test_best_of_weights_and_their_mean_is_kept(tmp_path: Path, init_share: float, wanted: float, kept: float):
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])

    def weight() -> float:
        return float(network.get_weights()[0].item())

    def validate() -> Validation:
        return Validation({"score": -abs(weight() - wanted)}, [], [])

    config = TrainingConfig("recognition", "crnn-fast", None, average=2, init_share=init_share)
    task = SimpleNamespace(network=network, validate=validate)
    log, bar = SimpleNamespace(), tqdm(disable=True)
    run = _Run(config, task, [np.array([[1.0]])], Progress(), tmp_path, tmp_path, log, bar, "")
    run._snapshots.extend([[np.array([[2.0]])], [np.array([[4.0]])]])
    network.set_weights([np.array([[9.0]])])

    best = run._best_of(validate(), network.get_weights())

    assert weight() == kept and best.scores["score"] == 0
