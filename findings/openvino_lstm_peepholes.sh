#!/usr/bin/env bash
# OpenVINO computes an ONNX LSTM with peepholes, or with coupled gates, as one without.
#
# Versions:  openvino 2026.4.1 (CPU plugin), onnxruntime 1.32.0, onnx 1.23.2 on Python 3.11.
# Behavior:  the input P of LSTM (weights from the cell to its gates) and the attribute input_forget are passed over: the
#            outputs are equal to those of the same node without them. No error is raised. ONNX Runtime heeds both. ONNX's
#            own ReferenceEvaluator heeds P, and passes over input_forget.
# Expected:  the outputs that the operator's specification states, or a refusal of the model.
# Pagebeam:  its LSTMs have neither; tests compare what it exports with Keras (ocr_models/inference/onnx_export.py).
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

STEPS, BATCH, WIDTH, HIDDEN = 4, 2, 3, 2
rng = np.random.default_rng(0)
shapes = {
    "W": (1, 4 * HIDDEN, WIDTH),
    "R": (1, 4 * HIDDEN, HIDDEN),
    "B": (1, 8 * HIDDEN),
    "state": (1, BATCH, HIDDEN),
    "P": (1, 3 * HIDDEN),
}
weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
inputs = {"X": rng.standard_normal((STEPS, BATCH, WIDTH)).astype(np.float32)}


def lstm(peepholes: bool = False, **attributes: int) -> ModelProto:
    names = ["X", "W", "R", "B", "", "state", "state"] + ["P"] * peepholes
    graph = helper.make_graph(
        [helper.make_node("LSTM", names, ["Y"], hidden_size=HIDDEN, **attributes)],
        "graph",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [STEPS, BATCH, WIDTH])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [STEPS, 1, BATCH, HIDDEN])],
        [numpy_helper.from_array(array, name) for name, array in weights.items() if name in names],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 10
    return model


def by_openvino(model: ModelProto) -> np.ndarray:
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(inputs)[0]


def by_onnxruntime(model: ModelProto) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0]


def by_reference(model: ModelProto) -> np.ndarray:
    return ReferenceEvaluator(model).run(None, inputs)[0]


print(" ".join(f"{name} {version(name)}" for name in ("openvino", "onnxruntime", "onnx")))
for name, model in (("P", lstm(peepholes=True)), ("input_forget", lstm(input_forget=1))):
    changed = {
        engine.__name__[3:]: "changes" if np.abs(engine(model) - engine(lstm())).max() > 0.01 else "stays"
        for engine in (by_openvino, by_onnxruntime, by_reference)
    }
    print(f"output with {name}: " + ", ".join(f"{engine} {what}" for engine, what in changed.items()))
PYTHON
cat >"$folder/expected" <<'TEXT'
openvino 2026.4.1 onnxruntime 1.32.0 onnx 1.23.2
output with P: openvino stays, onnxruntime changes, reference changes
output with input_forget: openvino stays, onnxruntime changes, reference stays
TEXT

"$folder/venv/bin/python" "$folder/show.py" 2>"$folder/log" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
