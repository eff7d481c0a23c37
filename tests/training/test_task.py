from __future__ import annotations

import numpy as np
import pytest

from ocr_models.bundle import write_bundle
from ocr_models.charset import PRINT, Charset
from ocr_models.data.loading.training_examples import DataConfig
from ocr_models.errors import UsageError
from ocr_models.recognition.crnn import build_crnn
from ocr_models.training.config import TrainingConfig
from ocr_models.training.options import RecognitionOptions
from ocr_models.training.recognition_task import _charset
from ocr_models.training.task import start_from


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A CRNN that knows three characters."""
    config = {"task": "recognition", "arch": "crnn-fast"}
    return write_bundle(tmp_path_factory.mktemp("bundles") / "abc", build_crnn(4, "crnn-fast"), config, Charset("abc"))


def test_new_characters_start_near_the_mean_of_the_others_which_stay_as_they_were(bundle):
    config = TrainingConfig(task="recognition", arch="crnn-fast", options=None, init=str(bundle.path))
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 24, 1)).astype(np.uint8)
    network = build_crnn(5, "crnn-fast")
    fresh = network.get_layer("logits").get_weights()[0][:, 4]

    started = start_from(network, config)

    known = start_from(build_crnn(4, "crnn-fast"), config)
    np.testing.assert_allclose(started.predict(image)[..., :4], known.predict(image), atol=1e-5)
    weights = started.get_layer("logits").get_weights()[0]
    np.testing.assert_allclose(weights[:, 4], weights[:, 1:4].mean(axis=1) + fresh, atol=1e-6)


@pytest.mark.parametrize(("num_classes", "arch"), [(3, "crnn-fast"), (5, "crnn-light")])
def test_fewer_characters_and_other_layers_are_refused(bundle, num_classes, arch):
    config = TrainingConfig(task="recognition", arch="crnn-fast", options=None, init=str(bundle.path))
    with pytest.raises(UsageError, match="don't fit"):
        start_from(build_crnn(num_classes, arch), config)


def test_training_without_shards_adds_the_characters_of_print_after_those_of_the_bundle(bundle):
    config = TrainingConfig("recognition", "crnn-fast", RecognitionOptions(DataConfig()), init=str(bundle.path))
    characters = _charset(config).characters
    assert characters.startswith("abc") and set(characters) == {*PRINT, " "}
    assert start_from(build_crnn(len(characters) + 1, "crnn-fast"), config).output_shape[-1] == len(characters) + 1
