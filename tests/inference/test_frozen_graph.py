from __future__ import annotations

import keras
import numpy as np
import pytest

from ocr_models.bundle import DEFAULT_BUNDLES, find_bundle, write_bundle
from ocr_models.charset import LATIN
from ocr_models.detection.east import build_east
from ocr_models.detection.text_detector import TextDetector
from ocr_models.inference.frozen_graph import FrozenNetwork, freeze
from ocr_models.inference.network import compile_forward
from ocr_models.recognition.attention_network import build_attention
from ocr_models.recognition.crnn import build_crnn

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="graphs are TensorFlow's")


def pictures(*shapes):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def assert_close(one, other):
    """As far as half precision goes, and bfloat16 where the processor has it."""
    one, other = np.asarray(one), np.asarray(other)
    np.testing.assert_allclose(one, other, atol=0.03 * np.abs(other).max())


@on_tensorflow
def test_one_graph_finds_the_same_on_pages_of_any_shape(tmp_path):
    east, config = build_east(), {"task": "detection", "arch": "east-fast"}
    by_graph = TextDetector.load(write_bundle(tmp_path / "graph", east, config, graph=freeze(east)))
    by_keras = TextDetector.load(write_bundle(tmp_path / "keras", east, config))
    for page in pictures((1, 128, 256, 1), (1, 192, 96, 1)):
        graphs, kerases = by_graph._forward(page), by_keras._forward(page)
        assert sorted(graphs) == sorted(kerases) == ["geometry_map", "score_logits"]
        for name in graphs:
            assert_close(graphs[name], kerases[name])


@on_tensorflow
def test_crnns_graph_gives_the_same_logits():
    crnn = build_crnn(len(LATIN) + 2, "crnn-fast")
    graph = compile_forward(FrozenNetwork(freeze(crnn)))
    for crops in pictures((1, 32, 40, 1), (5, 32, 120, 1)):
        assert_close(graph(crops), crnn(crops))


@on_tensorflow
@pytest.mark.parametrize(("task", "name"), DEFAULT_BUNDLES.items())
def test_default_models_graphs_are_theirs(task, name):
    bundle = find_bundle(name, task)
    network = keras.saving.load_model(bundle.model_path, compile=False)
    (crops,) = pictures((2, 32, 64, 1))
    graph = compile_forward(FrozenNetwork(bundle.graph_path.read_bytes()))
    for one, other in zip(keras.tree.flatten(graph(crops)), keras.tree.flatten(network(crops)), strict=True):
        assert_close(one, other)


@on_tensorflow
def test_graph_has_nothing_that_only_a_gpu_can_do():
    assert b"Cudnn" not in freeze(build_crnn(len(LATIN) + 2, "crnn-fast"))


@on_tensorflow
def test_only_networks_of_one_picture_have_a_graph():
    assert freeze(build_attention(len(LATIN) + 2)) is None
