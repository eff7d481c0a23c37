from __future__ import annotations

import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ocr_models.bundle import DEFAULT_BUNDLES, find_bundle
from ocr_models.detection.east import build_east
from ocr_models.errors import UsageError
from ocr_models.inference.keras_engine import compile_forward, load_network
from ocr_models.inference.onnx_export import export_onnx
from ocr_models.inference.openvino_engine import OpenVinoNetwork
from ocr_models.recognition.crnn import build_crnn
from tests.inference.test_onnx_export import BUILDERS, pictures


def load(network, folder, batches=()):
    path = folder / "model.onnx"
    path.write_bytes(export_onnx(network, batches))
    return OpenVinoNetwork(path)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("in_bytes", [False, True])
def test_operations_of_every_architecture_are_allowed(name, in_bytes, tmp_path):
    batches = pictures((1, 64, 96, 1) if name.startswith("east") else (1, 32, 96, 1))
    load(BUILDERS[name](), tmp_path, batches if in_bytes else ())


def test_outputs_have_the_names_of_the_network(tmp_path):
    (page,) = pictures((1, 64, 96, 1))
    maps = load(build_east(), tmp_path)(page)
    assert {name: x.shape for name, x in maps.items()} == {
        "score_logits": (1, 16, 24, 1),
        "geometry_map": (1, 16, 24, 5),
    }


@pytest.mark.parametrize(("task", "name"), DEFAULT_BUNDLES.items())
def test_default_models_compute_what_keras_does(task, name):
    bundle = find_bundle(name, task)
    light, full = OpenVinoNetwork(bundle.onnx_path), compile_forward(load_network(bundle))
    (batch,) = pictures((2, 32, 64, 1))
    one, other = light(batch), full(batch)
    for name in other if isinstance(other, dict) else [slice(None)]:
        error = np.abs(one[name] - other[name]).mean()
        assert error < 0.03 * np.abs(other[name]).max()  # noise is far from what the ranges were taken from


@pytest.mark.parametrize("in_bytes", [False, True])
def test_crop_is_computed_alone_as_among_others_to_the_last_bit(in_bytes, tmp_path):
    batches = pictures((13, 32, 96, 1))
    forward = load(build_crnn(40, "crnn-fast"), tmp_path, batches if in_bytes else ())
    among = np.array(forward(batches[0]))
    for start, stop in ((0, 1), (3, 5), (9, 13)):
        np.testing.assert_array_equal(forward(batches[0][start:stop]), among[start:stop])


def test_pictures_may_be_read_only_or_parts_of_others(tmp_path):
    forward = load(build_crnn(12, "crnn-fast"), tmp_path)
    (batch,) = pictures((2, 32, 64, 1))
    right = np.array(forward(batch))
    apart = np.repeat(batch, 2, axis=2)[:, :, ::2]
    batch.flags.writeable = False

    np.testing.assert_array_equal(forward(batch), right)
    np.testing.assert_array_equal(forward(apart), right)


def test_threads_have_results_of_their_own(tmp_path):
    forward = load(build_crnn(12, "crnn-fast"), tmp_path)
    batches = pictures(*[(n, 32, 64, 1) for n in (1, 2, 3, 4)])
    alone = [np.array(forward(batch)) for batch in batches]
    differing = []

    def compute(batch, right):
        for _ in range(5):
            if not np.array_equal(forward(batch), right):
                differing.append(len(batch))

    threads = [threading.Thread(target=compute, args=pair) for pair in zip(batches, alone, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differing == []


def test_other_operations_are_refused_by_name(tmp_path):
    one = helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(
        [helper.make_node("Erf", ["picture"], ["y"])], "g", [one], [helper.make_tensor_value_info("y", 1, ["n"])]
    )
    path = tmp_path / "evil.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    assert onnx.load(path)
    with pytest.raises(UsageError, match=r"evil\.onnx: refused: .*\(Erf\)"):
        OpenVinoNetwork(path)


@pytest.mark.parametrize("content", [b"", b"\xff no model"])
def test_file_that_is_no_model_is_a_clear_error(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"model\.onnx: no model that OpenVINO can read"):
        OpenVinoNetwork(path)
