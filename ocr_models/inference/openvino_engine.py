"""Networks computed by OpenVINO, from the ONNX files of bundles: on CPUs, and without Keras.

OpenVINO starts in a tenth of a second, in which TensorFlow takes three, and computes in bfloat16 where the processor
has it.

An ONNX file may come from a stranger. Operations of ONNX only compute, but loops may compute for ever; only the
operations of our own networks are let in.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from ocr_models.errors import UsageError
from ocr_models.limits import cores

# What OpenVINO 2026.4 makes of the networks of all detectors and CRNNs; a test compares.
_OPERATIONS = """
Add Broadcast Concat Constant Convert Convolution FakeQuantize Gather Identity Interpolate LSTMSequence MatMul MaxPool
Multiply Pad Parameter Relu Reshape Result ShapeOf Sigmoid Slice Split Squeeze Subtract Transpose Unsqueeze
"""
_core = openvino.Core()


class OpenVinoNetwork:
    """A network loaded from an ONNX file; call it with uint8 pictures (B, H, W, 1).

    It returns float32 arrays as the Keras network would: one, or a dict of them. They are valid until the next call
    from the same thread.

    Several threads may call it at once, up to one per processor core side by side, each on one core: the steps of an
    LSTM are too small to share. Results don't depend on the other pictures of a batch.

    Raises:
        UsageError: the file can't be read, or has operations that our networks don't have.
    """

    def __init__(self, path: Path) -> None:
        threads = cores()
        # Pinned threads of several processes would all share the first cores.
        options = {"NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        self._compiled = _core.compile_model(_read(path), "CPU", options)
        self._names = [output.get_any_name() for output in self._compiled.outputs]
        self._of_thread = threading.local()

    def __call__(self, pictures: np.ndarray) -> Any:
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._compiled.create_infer_request()
        # What ``infer`` does for any kind of input takes twice the time of this, which other threads then wait for.
        held = np.require(pictures, requirements=["C", "W"])  # until it is computed: the tensor doesn't keep it
        request.set_input_tensor(openvino.Tensor(held, shared_memory=True))
        request.start_async()
        request.wait()
        arrays = [request.get_output_tensor(i).data for i in range(len(self._names))]
        return arrays[0] if len(arrays) == 1 else dict(zip(self._names, arrays, strict=True))


def _read(path: Path) -> openvino.Model:
    try:
        model = _core.read_model(path.read_bytes())
    except RuntimeError as error:
        raise UsageError(f"{path}: no model that OpenVINO can read; copy the bundle whole") from error
    foreign = {operation.get_type_name() for operation in model.get_ops()} - {*_OPERATIONS.split()}
    if foreign:
        raise UsageError(
            f"{path}: refused: it has operations that Pagebeam's networks don't have ({', '.join(sorted(foreign))}); "
            "use bundles only from people whom you trust, or train your own"
        )
    return model
