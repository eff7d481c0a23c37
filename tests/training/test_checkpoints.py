from __future__ import annotations

import json

import pytest

from ocr_models.errors import UsageError
from ocr_models.training.caption_options import CaptionOptions
from ocr_models.training.checkpoints import check_same_run
from ocr_models.training.config import TrainingConfig


def configuration(**options):
    return TrainingConfig("caption", "show-and-tell-light", CaptionOptions(data=None, **options))


def begun(run, config):
    """A run's folder, as far as it says what is trained."""
    (run / "checkpoint.json").write_text("{}")
    (run / "config.json").write_text(json.dumps(config))
    return run


def test_run_goes_on_with_other_data_and_rates(tmp_path):
    run = begun(tmp_path, configuration(backbone_weights="a", decay_epochs=8).to_json())
    check_same_run(configuration(backbone_weights="a", decay_epochs=9), run)


def test_run_of_another_network_is_refused(tmp_path):
    run = begun(tmp_path, configuration(backbone_weights="a").to_json())
    with pytest.raises(UsageError, match="has a run with backbone_weights a, but now it is b"):
        check_same_run(configuration(backbone_weights="b"), run)


def test_run_that_was_begun_with_the_earlier_names_goes_on(tmp_path):
    config = configuration(backbone_weights="a").to_json()
    config["options"]["stem_weights"] = config["options"].pop("backbone_weights")
    check_same_run(configuration(backbone_weights="a"), begun(tmp_path, config))
