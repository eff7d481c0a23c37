"""What loading the models leaves alone in the program that does it."""

from __future__ import annotations

import subprocess
import sys

import keras
import pytest

PROGRAM = """
import gc, logging, random, signal, warnings
import cv2, keras, numpy, PIL.Image, tensorflow

cv2.setNumThreads(3)

def state():
    return {
        "OpenCV's threads": cv2.getNumThreads(),
        "Pillow's limit": PIL.Image.MAX_IMAGE_PIXELS,
        "log levels": [logging.getLogger(name).level for name in (None, "tensorflow", "absl", "PIL")],
        "garbage collection": (gc.isenabled(), gc.get_threshold()),
        "warnings": list(warnings.filters),
        "random numbers": (random.getstate(), str(numpy.random.get_state())),
        "signals": (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
        "Keras": (keras.config.dtype_policy().name, keras.config.floatx(), keras.backend.backend()),
    }

before = state()
from ocr_models.pages.read_document import read_document
assert next(read_document("docs/samples/letter.jpg")).words
after = state()
print([name for name in before if before[name] != after[name]])
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the program imports TensorFlow")
def test_reading_a_document_changes_nothing_that_a_program_would_notice():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
