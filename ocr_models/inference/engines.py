"""The engines that compute networks: OpenVINO on CPUs; TensorFlow or JAX, through Keras, on GPUs."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from ocr_models.bundle import Bundle
from ocr_models.errors import UsageError
from ocr_models.limits import cores

Forward: TypeAlias = Callable[[Any], Any]
"""A network's prediction: from uint8 pictures (B, H, W, 1), or a tree of arrays, to float32 arrays."""
AUTO, OPENVINO, TENSORFLOW, JAX = "auto", "openvino", "tensorflow", "jax"
ENGINES = (AUTO, OPENVINO, TENSORFLOW, JAX)
_NVIDIA = Path("/proc/driver/nvidia/version")  # where the driver of a GPU is loaded


def choose_engine(bundle: Bundle, engine: str = AUTO) -> str:
    """The engine that computes a bundle.

    Args:
        bundle: the model.
        engine: its name, or "auto": Keras's backend where there are a GPU and Keras, and where the bundle has no ONNX
            file; else OpenVINO.

    Raises:
        UsageError: what it needs isn't installed, or the bundle has no ONNX file for OpenVINO.
    """
    if engine == AUTO:
        on_gpu = _NVIDIA.exists() and _is_installed("keras")
        engine = keras_backend() if on_gpu or bundle.onnx_path is None else OPENVINO
    if engine == OPENVINO:
        if bundle.onnx_path is None:
            raise UsageError(
                f"{bundle.path}: has no ONNX file, which OpenVINO needs; for that of a detector or CRNN, run pagebeam "
                f"train onnx --output {bundle.path}; for an attention recognizer, give --engine {TENSORFLOW}"
            )
        return engine
    check_keras(f"{bundle.id} on {engine}", engine)
    return engine


def check_keras(what: str, backend: str | None = None) -> None:
    """Raises UsageError if Keras or its backend, which are extras, isn't installed.

    Args:
        what: what needs them, for the error.
        backend: None for the one that Keras will choose.
    """
    backend = backend or keras_backend()
    if missing := [name for name in ("keras", backend) if not _is_installed(name)]:
        extras = "train,jax" if backend == JAX else "train"
        raise UsageError(f"{what} needs {' and '.join(missing)}: run pip install 'pagebeam[{extras}]'")


def load_forward(bundle: Bundle, engine: str) -> Forward:
    """Loads a detector or CRNN on an engine that ``choose_engine`` chose.

    On TensorFlow this makes two settings for the whole process, because TensorFlow knows no narrower scope:

    - One thread per operation, and up to one operation per processor core at once, unless TensorFlow has computed
      before. With several threads per operation, the confidences of a word would depend on its batch.
    - Convolutions and matrix products in bfloat16, on processors that have it: twice as fast.
    """
    if engine == OPENVINO:
        from ocr_models.inference.openvino_engine import OpenVinoNetwork

        assert bundle.onnx_path
        return OpenVinoNetwork(bundle.onnx_path)
    use_keras(engine)
    from ocr_models.inference.keras_engine import compile_forward, load_network
    from ocr_models.inference.threads import limit_threads

    limit_threads(cores())
    return compile_forward(load_network(bundle))


def use_keras(backend: str) -> None:
    """Has Keras use a backend, which must be decided before it is imported.

    Raises:
        UsageError: this process has imported it with another one.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    import keras

    if keras.backend.backend() != backend:
        raise UsageError(f"Keras runs on {keras.backend.backend()} in this process, and can't run on {backend}, too")


def keras_backend() -> str:
    """The backend that Keras will choose: that of its environment variable, else of its configuration file."""
    folder = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    try:
        configured = json.loads(Path(folder, "keras.json").read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):  # missing, or unreadable for Keras too
        configured = None
    return os.environ.get("KERAS_BACKEND") or configured or TENSORFLOW


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
