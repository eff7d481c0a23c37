from __future__ import annotations

import sys

import pytest
from hypothesis import settings

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("pagebeam", deadline=None)
settings.load_profile("pagebeam")


@pytest.fixture(scope="module", autouse=True)
def full_precision():
    """Takes back bfloat16, which a predictor in another module may have switched on for the whole process."""
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": False})


@pytest.fixture(autouse=True)
def same_weights():
    """Untrained networks, and whatever else Keras draws, are the same in every run."""
    if utils := getattr(sys.modules.get("keras"), "utils", None):  # a command may be importing it in the background
        utils.set_random_seed(0)
