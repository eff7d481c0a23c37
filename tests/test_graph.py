from __future__ import annotations

import keras
import numpy as np
import pytest

from ocr_models.bundle import DEFAULT_BUNDLES, find_bundle, write_bundle
from ocr_models.charset import LATIN, Charset
from ocr_models.detection.model import build_east
from ocr_models.graph import freeze
from ocr_models.predictors import TextDetector, TextRecognizer
from ocr_models.recognition.attention import build_attention
from ocr_models.recognition.crnn import build_crnn

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="graphs are TensorFlow's")


def pictures(*shapes):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


@on_tensorflow
def test_detector_finds_the_same_by_its_graph(tmp_path):
    east, config = build_east(), {"task": "detection", "arch": "east-fast"}
    by_graph = TextDetector.load(write_bundle(tmp_path / "graph", east, config, graph=freeze(east)))
    by_keras = TextDetector.load(write_bundle(tmp_path / "keras", east, config))
    for page in pictures((128, 256), (200, 96)):
        maps = [detector._forward(page[None, : len(page) // 128 * 128, :96, None]) for detector in (by_graph, by_keras)]
        assert sorted(maps[0]) == sorted(maps[1]) == ["geometry_map", "score_logits"]
        for name in maps[0]:  # in bfloat16, where the processor has it
            np.testing.assert_allclose(maps[0][name], maps[1][name], rtol=0.02, atol=0.02 * np.abs(maps[1][name]).max())


@on_tensorflow
def test_recognizer_reads_the_same_by_its_graph(tmp_path):
    charset = Charset(LATIN)
    crnn, config = build_crnn(len(charset) + 1, "crnn-fast"), {"task": "recognition", "arch": "crnn-fast"}
    by_graph = TextRecognizer.load(write_bundle(tmp_path / "graph", crnn, config, charset, freeze(crnn)))
    by_keras = TextRecognizer.load(write_bundle(tmp_path / "keras", crnn, config, charset))
    crops = pictures((32, 40), (32, 80), (20, 200))
    for one, other in zip(by_graph.read(crops), by_keras.read(crops), strict=True):
        assert one.text == other.text
        assert one.confidence == pytest.approx(other.confidence, rel=0.02)


@on_tensorflow
def test_only_networks_of_one_picture_have_a_graph():
    assert freeze(build_attention(len(LATIN) + 2)) is None


def test_a_bundle_that_is_written_again_without_a_graph_has_none(tmp_path):
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(image))
    config = {"task": "detection", "arch": "east-fast"}
    first = write_bundle(tmp_path, model, config, graph=b"a graph")
    assert first.graph_path == tmp_path / "graph.pb"
    second = write_bundle(tmp_path, model, config)
    assert second.graph_path is None and second.digest != first.digest


@on_tensorflow
def test_default_models_have_their_graphs():
    assert all(find_bundle(name, task).graph_path for task, name in DEFAULT_BUNDLES.items())
