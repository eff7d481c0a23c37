from __future__ import annotations

import keras
import numpy as np

from ocr_models.inference.threads import limit_threads


def test_models_load_in_a_program_that_has_computed_before():
    keras.layers.Dense(2)(np.zeros((1, 3)))
    limit_threads(63)  # a number that isn't set already
