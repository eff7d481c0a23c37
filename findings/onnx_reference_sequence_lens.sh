#!/usr/bin/env bash
# ONNX's reference implementation reads recurrent layers to the end of the batch, whatever lengths are stated.
#
# Versions:  onnx 1.23.2, onnxruntime 1.32.0 and openvino 2026.4.1 (CPU plugin) on Python 3.11.
# Behavior:  with the input sequence_lens, the last state of a sequence (Y_h) is that after its last step, and outputs
#            beyond are 0, as ONNX Runtime and OpenVINO have it. onnx.reference.ReferenceEvaluator takes the input and
#            passes over it: padding changes Y_h of LSTM, GRU and RNN. No error is raised.
# Expected:  what the implementation that others are tested against heeds is what the specification says.
# Pagebeam:  its tests compare ONNX files with Keras, not with the reference (ocr_models/inference/onnx_export.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2

cat >"$folder/show.py" <<'PYTHON'
from importlib.metadata import version

import numpy as np
import onnxruntime
import openvino
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

STEPS, HIDDEN = 5, 2
rng = np.random.default_rng(0)


def layer(kind: str, gates: int) -> ModelProto:
    """Two sequences of 5 and 2 steps, with one feature."""
    weights = {
        "W": rng.standard_normal((1, gates * HIDDEN, 1)).astype(np.float32),
        "R": rng.standard_normal((1, gates * HIDDEN, HIDDEN)).astype(np.float32),
        "B": rng.standard_normal((1, 2 * gates * HIDDEN)).astype(np.float32),
        "lengths": np.array([STEPS, 2], np.int32),
    }
    graph = helper.make_graph(
        [helper.make_node(kind, ["X", *weights], ["", "Y_h"], hidden_size=HIDDEN)],
        "graph",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [STEPS, 2, 1])],
        [helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, [1, 2, HIDDEN])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 10
    return model


def by_openvino(model: ModelProto, x: np.ndarray) -> np.ndarray:
    core = openvino.Core()
    return core.compile_model(core.read_model(model.SerializeToString()), "CPU")({"X": x})[0]


def by_onnxruntime(model: ModelProto, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"X": x})[0]


def by_reference(model: ModelProto, x: np.ndarray) -> np.ndarray:
    return ReferenceEvaluator(model).run(None, {"X": x})[0]


print(" ".join(f"{name} {version(name)}" for name in ("onnx", "onnxruntime", "openvino")))
padded = rng.standard_normal((STEPS, 2, 1)).astype(np.float32)
otherwise = padded.copy()
otherwise[2:, 1] = 9  # the padding of the second sequence
for kind, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    model = layer(kind, gates)
    seen = {
        engine.__name__[3:]: "matters" if np.abs(engine(model, padded) - engine(model, otherwise)).max() > 0.01 else "doesn't"
        for engine in (by_onnxruntime, by_openvino, by_reference)
    }
    print(f"padding of {kind}: " + ", ".join(f"{engine} {what}" for engine, what in seen.items()))
PYTHON
cat >"$folder/expected" <<'TEXT'
onnx 1.23.2 onnxruntime 1.32.0 openvino 2026.4.1
padding of LSTM: onnxruntime doesn't, openvino doesn't, reference matters
padding of GRU: onnxruntime doesn't, openvino doesn't, reference matters
padding of RNN: onnxruntime doesn't, openvino doesn't, reference matters
TEXT

"$folder/venv/bin/python" "$folder/show.py" 2>"$folder/log" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
