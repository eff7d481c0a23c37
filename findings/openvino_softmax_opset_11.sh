#!/usr/bin/env bash
# OpenVINO normalizes Softmax of ONNX opsets 11 and 12 over one axis, where the operator has all axes from that one on.
#
# Versions:  openvino 2026.4.1 (CPU plugin), onnxruntime 1.32.0, onnx 1.23.2 on Python 3.11.
# Behavior:  up to opset 12, Softmax flattens the axes from "axis" on (1 if it isn't stated) and makes their sum 1; since
#            opset 13, it takes the one axis (the last if it isn't stated). OpenVINO does the first up to opset 10 and the
#            second from 11 on, with 1 still the default in 11 and 12. ONNX Runtime does as the specification says. For
#            (1, 2, 3, 2) and opset 11, all outputs sum to 6 in OpenVINO and to 1 there. On the last axis, the two agree.
#            ONNX's ReferenceEvaluator takes one axis in all opsets.
# Expected:  one model has one result.
# Pagebeam:  writes opset 17, without Softmax (ocr_models/inference/onnx_export.py).
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
from onnx import ModelProto, TensorProto, helper

SHAPE = (1, 2, 3, 2)
inputs = {"X": np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)}


def softmax(opset: int) -> ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["X"], ["Y"], axis=1)],
        "graph",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, SHAPE)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 7
    return model


def by_openvino(model: ModelProto) -> np.ndarray:
    core = openvino.Core()
    return core.compile_model(core.read_model(model.SerializeToString()), "CPU")(inputs)[0]


def by_onnxruntime(model: ModelProto) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0]


print(" ".join(f"{name} {version(name)}" for name in ("openvino", "onnxruntime")))
for opset in (9, 11, 12, 13):
    sums = {engine.__name__[3:]: engine(softmax(opset)).sum() for engine in (by_openvino, by_onnxruntime)}
    print(f"opset {opset}, axis 1: sum of all " + ", ".join(f"{engine} {total:.1f}" for engine, total in sums.items()))
PYTHON
cat >"$folder/expected" <<'TEXT'
openvino 2026.4.1 onnxruntime 1.32.0
opset 9, axis 1: sum of all openvino 1.0, onnxruntime 1.0
opset 11, axis 1: sum of all openvino 6.0, onnxruntime 1.0
opset 12, axis 1: sum of all openvino 6.0, onnxruntime 1.0
opset 13, axis 1: sum of all openvino 6.0, onnxruntime 6.0
TEXT

"$folder/venv/bin/python" "$folder/show.py" 2>"$folder/log" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
