#!/usr/bin/env bash
# OpenVINO shrinks pictures without a filter where an ONNX model asks for one by antialias.
#
# Versions:  openvino 2026.4.1 (CPU plugin), onnxruntime 1.32.0, onnx 1.23.2 on Python 3.11.
# Behavior:  Resize in the modes linear and cubic has the attribute antialias since opset 18, which widens the filter when
#            a picture is made smaller. OpenVINO passes over it: a row of 0 1 0 1 ... that is shrunk to a third keeps the
#            full range from 0 to 1, of which ONNX Runtime and ONNX's ReferenceEvaluator make gray. No error is raised.
# Expected:  the filter, or a refusal of the model.
# Pagebeam:  shrinks pages with OpenCV before the network (ocr_models/detection/text_detector.py); its models only enlarge.
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

WIDTH, NARROW = 27, 9
inputs = {"X": (np.arange(WIDTH) % 2).astype(np.float32).reshape(1, 1, 1, WIDTH)}


def resize(mode: str, antialias: int) -> ModelProto:
    size = numpy_helper.from_array(np.array([1, 1, 1, NARROW]), "size")
    graph = helper.make_graph(
        [helper.make_node("Resize", ["X", "", "", "size"], ["Y"], mode=mode, antialias=antialias)],
        "graph",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 1, 1, WIDTH])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, 1, 1, NARROW])],
        [size],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    return model


def by_openvino(model: ModelProto) -> np.ndarray:
    core = openvino.Core()
    return core.compile_model(core.read_model(model.SerializeToString()), "CPU")(inputs)[0]


def by_onnxruntime(model: ModelProto) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0]


def by_reference(model: ModelProto) -> np.ndarray:
    return ReferenceEvaluator(model).run(None, inputs)[0]


print(" ".join(f"{name} {version(name)}" for name in ("openvino", "onnxruntime", "onnx")))
for engine in (by_openvino, by_onnxruntime, by_reference):
    for mode in ("linear", "cubic"):
        ranges = {antialias: np.ptp(engine(resize(mode, antialias))) for antialias in (0, 1)}
        print(f"{engine.__name__[3:]}, {mode}: range {ranges[0]:.1f}, with antialias {ranges[1]:.1f}")
PYTHON
cat >"$folder/expected" <<'TEXT'
openvino 2026.4.1 onnxruntime 1.32.0 onnx 1.23.2
openvino, linear: range 1.0, with antialias 1.0
openvino, cubic: range 1.0, with antialias 1.0
onnxruntime, linear: range 1.0, with antialias 0.1
onnxruntime, cubic: range 1.0, with antialias 0.1
reference, linear: range 1.0, with antialias 0.1
reference, cubic: range 1.0, with antialias 0.1
TEXT

"$folder/venv/bin/python" "$folder/show.py" 2>"$folder/log" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
