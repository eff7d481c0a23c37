"""ONNX files compute what the Keras networks do, as far as their precision goes."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import openvino
import pytest

from ocr_models.charset import LATIN
from ocr_models.detection.east import build_east
from ocr_models.inference.onnx_export import export_onnx
from ocr_models.recognition.attention_network import build_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.recognition.digit_rows import build_digit_reader

# Those that ``pagebeam train`` writes an ONNX file for; all others have several inputs.
BUILDERS = {
    "east-fast": lambda: build_east("fast"),
    "east-vgg16": lambda: build_east("vgg16"),
    "crnn-fast": lambda: build_crnn(len(LATIN) + 2, "crnn-fast"),
    "crnn-light": lambda: build_crnn(len(LATIN) + 2, "crnn-light"),
    "crnn-vgg": lambda: build_crnn(len(LATIN) + 2, "crnn-vgg"),
    "mnist-rows": lambda: build_digit_reader(11, "crnn"),
}


def pictures(*shapes):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def with_statistics(network):
    """The network with batch norms that do something, as after training."""
    rng = np.random.default_rng(5)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            layer.set_weights(
                [rng.uniform(low, high, size) for low, high in ((0.5, 1), (-0.2, 0.2), (-0.2, 0.2), (1, 2))]
            )
    return network


def computed(model: bytes, batch):
    """The outputs in float32, in their order."""
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return list(compiled(batch).values())


def expected(network, batch):
    outputs = network(batch)
    return [np.asarray(x) for x in (outputs.values() if isinstance(outputs, dict) else [outputs])]


@pytest.mark.parametrize("name", BUILDERS)
def test_every_architecture_computes_the_same_at_any_size(name):
    keras.utils.set_random_seed(2)
    network = with_statistics(BUILDERS[name]())
    model = export_onnx(network)
    shapes = [(1, 64, 96, 1), (2, 96, 64, 1)] if name.startswith("east") else [(1, 32, 24, 1), (5, 32, 120, 1)]
    for batch in pictures(*shapes):
        for one, other in zip(computed(model, batch), expected(network, batch), strict=True):
            np.testing.assert_allclose(one, other, atol=0.01 * np.abs(other).max())  # weights have half precision


def test_border_of_the_first_convolution_is_what_keras_pads_with():
    """A kernel of ones sums what it sees: white is 1 each, and the border is 0."""
    image = keras.Input((None, None, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    ones = {"kernel_initializer": "ones", "bias_initializer": "zeros"}
    network = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", **ones)(x))
    (sums,) = computed(export_onnx(network), np.full((1, 3, 3, 1), 255, np.uint8))
    np.testing.assert_allclose(sums[0, ..., 0], [[4, 6, 4], [6, 9, 6], [4, 6, 4]], rtol=1e-6)


def test_convolutions_in_bytes_are_near_to_those_in_floats_and_half_as_large():
    keras.utils.set_random_seed(2)
    network = with_statistics(build_east("fast"))
    batches = pictures((1, 64, 96, 1), (1, 96, 96, 1))
    model = export_onnx(network, batches)
    assert len(model) < 0.6 * len(export_onnx(network))
    operators = [node.op_type for node in onnx.load_from_string(model).graph.node]
    assert operators.count("QuantizeLinear") > 20
    for one, other in zip(computed(model, batches[0]), expected(network, batches[0]), strict=True):
        assert np.abs(one - other).mean() < 0.03 * np.abs(other).max()


def test_first_two_convolutions_and_the_outputs_stay_floats():
    network = build_crnn(12, "crnn-fast")
    graph = onnx.load_from_string(export_onnx(network, pictures((4, 32, 64, 1)))).graph
    in_bytes = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert [set(node.input[:2]) <= in_bytes for node in convolutions] == [False, False, *[True] * 5]


def test_same_network_gives_the_same_bytes():
    network = build_crnn(12, "crnn-fast")
    batches = pictures((4, 32, 64, 1))
    assert export_onnx(network, batches) == export_onnx(network, batches)


def test_attention_recognizer_has_no_onnx_form():
    assert export_onnx(build_attention(12)) is None


def test_layer_that_our_networks_do_not_have_is_named():
    image = keras.Input((None, None, 1))
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D(name="middle")(image))
    with pytest.raises(TypeError, match="layer middle is a GlobalAveragePooling2D"):
        export_onnx(network)
