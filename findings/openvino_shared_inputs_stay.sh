#!/usr/bin/env bash
# An OpenVINO request that was once given a shared input refuses a larger one that isn't shared.
#
# Version:   openvino 2026.4.1 on Python 3.11; CPU plugin, a model with a dynamic batch.
# Behavior:  infer() takes arrays of any batch size, smaller or larger than before. After one call with
#            share_inputs=True, a call without it fails with a RuntimeError about capacity if its array is larger: the
#            request still holds the memory of the shared array as its input. A larger shared one is taken, and after
#            it an unshared one of that size, too.
# Expected:  whether earlier inputs were shared doesn't matter to a later call.
# Pagebeam:  shares the inputs of all calls (ocr_models/inference/openvino_engine.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1

cat >"$folder/show.py" <<'PYTHON'
import sys

import numpy as np
import openvino
import openvino.opset13 as ops

x = ops.parameter([-1, 4], np.float32, name="x")
model = openvino.Model([ops.relu(x)], [x])
request = openvino.Core().compile_model(model, "CPU").create_infer_request()
small, large = np.ones((1, 4), np.float32), np.ones((3, 4), np.float32)


def larger(share_inputs):
    try:
        return request.infer([large], share_inputs=share_inputs)[0].shape
    except RuntimeError as error:
        return type(error).__name__


print(f"openvino {openvino.__version__}")
found = []
for first, second in ((False, False), (True, False), (True, True)):
    request.infer([small], share_inputs=first)
    found.append(larger(second))
    print(f"share_inputs={first}, then {second} for a larger array: {found[-1]}")
sys.exit(0 if found == [(3, 4), "RuntimeError", (3, 4)] else "changed")
PYTHON

"$folder/venv/bin/python" "$folder/show.py"
