#!/usr/bin/env bash
# OpenVINO computes an ONNX LSTM as a loop if the node names its activations, also where they are the defaults.
#
# Versions:  openvino 2026.4.1, onnx 1.23.2 on Python 3.11; CPU plugin.
# Behavior:  a bidirectional LSTM without the attribute "activations" is compiled to RNNSeq. With the attribute
#            and its default value, Sigmoid, Tanh, Tanh for each direction, it is compiled to TensorIterator: the results
#            are the same, but bfloat16 isn't used in the loop, and it took 1.3 to 1.5 times as long in a CRNN.
#            tf2onnx 1.17, and so Keras 3.15's export(format="onnx"), writes the attribute.
# Expected:  the default, spelled out, is the default.
# Pagebeam:  writes its ONNX files without the attribute (ocr_models/inference/onnx_export.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1 onnx==1.23.2

cat >"$folder/show.py" <<'PYTHON'
import sys

import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

STEPS, BATCH, DEPTH, UNITS = 16, 2, 8, 4
rng = np.random.default_rng(0)


def model(**attributes):
    weights = {
        "W": rng.normal(size=(2, 4 * UNITS, DEPTH)),
        "R": rng.normal(size=(2, 4 * UNITS, UNITS)),
        "B": np.zeros((2, 8 * UNITS)),
    }
    lstm = helper.make_node(
        "LSTM", ["x", *weights], ["y"], direction="bidirectional", hidden_size=UNITS, **attributes
    )
    graph = helper.make_graph(
        [lstm],
        "lstm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [STEPS, BATCH, DEPTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [STEPS, 2, BATCH, UNITS])],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def kinds(onnx_model):
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(onnx_model.SerializeToString()), "CPU")
    layers = {node.get_rt_info()["layerType"] for node in compiled.get_runtime_model().get_ops()}
    return sorted(layers & {"RNNSeq", "TensorIterator"})


print(f"openvino {openvino.__version__}, onnx {onnx.__version__}")
unnamed, named = kinds(model()), kinds(model(activations=["Sigmoid", "Tanh", "Tanh"] * 2))
print("without activations:", unnamed)
print("with the default activations:", named)
sys.exit(0 if (unnamed, named) == (["RNNSeq"], ["TensorIterator"]) else "changed")
PYTHON

"$folder/venv/bin/python" "$folder/show.py"
