from __future__ import annotations

import keras
import numpy as np
import pytest

from ocr_models.bundle import DEFAULT_BUNDLES, WEIGHTS, find_bundle, write_bundle
from ocr_models.charset import LATIN
from ocr_models.detection.east import build_east
from ocr_models.detection.text_detector import TextDetector
from ocr_models.errors import UsageError
from ocr_models.inference.frozen_graph import FrozenNetwork, freeze
from ocr_models.inference.network import compile_forward, load_network
from ocr_models.recognition.attention_network import build_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.recognition.digit_rows import build_digit_reader

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


# Those that ``pagebeam train`` writes a graph for; all others have several inputs.
BUILDERS = {
    "east-fast": lambda: build_east("fast"),
    "east-vgg16": lambda: build_east("vgg16"),
    "crnn-fast": lambda: build_crnn(len(LATIN) + 2, "crnn-fast"),
    "crnn-light": lambda: build_crnn(len(LATIN) + 2, "crnn-light"),
    "crnn-vgg": lambda: build_crnn(len(LATIN) + 2, "crnn-vgg"),
    "mnist-rows": lambda: build_digit_reader(11, "crnn"),
}


@on_tensorflow
@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_every_architecture_has_a_graph_of_allowed_operations(build):
    graph = freeze(build())
    assert graph and FrozenNetwork(graph)


@on_tensorflow
def test_all_shipped_graphs_are_allowed():
    graphs = sorted(WEIGHTS.glob("*/graph.pb"))
    assert len(graphs) >= 2
    for graph in graphs:
        FrozenNetwork(graph.read_bytes())


def evil_graph(path, in_function):
    """A graph of the shape of ours that writes a file when it is called, in its body or in a function of it."""
    import tensorflow as tf

    def write(x):
        tf.io.write_file(str(path), "written")
        return tf.cast(x, tf.float32)

    def forward(x):
        tf.identity(tf.function(write)(x) if in_function else write(x), name="output_")

    signature = [tf.TensorSpec((None, None, None, 1), tf.uint8, name="x")]
    traced = tf.function(forward, input_signature=signature, autograph=False)
    return traced.get_concrete_function().graph.as_graph_def().SerializeToString()


@on_tensorflow
@pytest.mark.parametrize("in_function", [False, True])
def test_graph_that_writes_files_is_refused_by_name_before_it_is_imported(in_function, tmp_path, monkeypatch):
    import tensorflow as tf

    crnn = build_crnn(12, "crnn-mnist")
    config = {"task": "recognition", "arch": "crnn-fast"}
    bundle = write_bundle(tmp_path / "evil", crnn, config, graph=evil_graph(tmp_path / "hit", in_function))
    monkeypatch.setattr(tf.graph_util, "import_graph_def", lambda *_, **__: pytest.fail("imported"))

    with pytest.raises(UsageError, match=r"evil/graph\.pb: refused: .*\(.*WriteFile.*\)"):
        load_network(bundle)

    assert not (tmp_path / "hit").exists()


@on_tensorflow
@pytest.mark.parametrize("operation", ["ReadFile", "PyFunc", "EagerPyFunc", "PrintV2", "SaveV2", "RestoreV2", "While"])
def test_other_operations_are_refused_too(operation):
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(freeze(build_crnn(12, "crnn-mnist")))
    graph.library.function[0].node_def.add(name="more", op=operation)

    with pytest.raises(UsageError, match=rf"\({operation}\)"):
        FrozenNetwork(graph.SerializeToString())


@on_tensorflow
def test_file_that_is_no_graph_is_a_clear_error():
    with pytest.raises(UsageError, match=r"b/graph\.pb: no TensorFlow graph"):
        FrozenNetwork(b"\xff no graph", "b/graph.pb")


def test_keras_model_with_code_is_refused(tmp_path):
    inputs = keras.Input((None, None, 1), dtype="uint8")
    network = keras.Model(inputs, keras.layers.Lambda(lambda x: x * 1.0)(inputs))
    bundle = write_bundle(tmp_path / "code", network, {"task": "recognition", "arch": "crnn-fast"})
    with pytest.raises(UsageError, match=r"code/model\.keras: has classes that .*Lambda"):
        load_network(bundle)
