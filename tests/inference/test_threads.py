from __future__ import annotations

import keras
import numpy as np
from tensorflow.config import threading

from ocr_models.inference.threads import limit_threads


def test_models_load_in_a_program_that_has_computed_before():
    keras.layers.Dense(2)(np.zeros((1, 3)))
    before = threading.get_inter_op_parallelism_threads()
    limit_threads(63)  # a number that isn't set already, and can't be now
    assert threading.get_inter_op_parallelism_threads() == before != 63
