"""Networks as ONNX files, which a bundle keeps beside its Keras model and which light engines read without Keras.

The graph is written from the layers, in the order and layout that engines on CPUs are fastest with: channels before
rows and columns, batch norms folded into convolutions, an LSTM as one operation. One file serves pictures of all
shapes. Source: the operators of ONNX, opset 17 (https://onnx.ai/onnx/operators).

Given some pictures, convolutions become 8-bit: their weights with a scale for each channel, and their inputs with one
scale for the map, which the pictures tell (Jacob et al. 2018, arXiv 1712.05877). Both networks then take a third to a
half less time, on processors with AVX-512 and with AVX2 alone. All else is stored in half precision to save space;
bfloat16, in which many processors compute, is coarser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import onnx
import openvino
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from ocr_models.inference.batch_norm_folding import fold_batch_norm

_OPSET, _IR_VERSION = 17, 8
_PICTURE = "picture"  # name of the input
LOGITS = "logits"  # name of a single output; the outputs of a network with several have their own names
# Convolutions that stay in floats. Of a recognizer, the second one sees faint strokes beside strong edges: as 8-bit, it
# cost 0.08 of the word F1 on receipts and 0.01 on scans, and all later ones together less than 0.002. Those of few
# channels are the outputs, and take no time.
_FIRST, _FEW_CHANNELS = 2, 8


def export_onnx(network: keras.Model, pictures: Sequence[np.ndarray] = ()) -> bytes | None:
    """Converts a network of uint8 pictures (B, H, W, 1) to the bytes of an ONNX model with float32 outputs.

    Args:
        network: the network.
        pictures: batches such as the network will see, for 8-bit convolutions; none for floats.

    Returns:
        The bytes; None for networks with several inputs: attention recognizers, which are used in another form than
        they are trained in.

    Raises:
        TypeError: the network has a layer that detectors and CRNNs don't have.
    """
    if len(network.inputs) != 1:
        return None
    folded = fold_batch_norm(network)
    peaks = _peaks(_Graph(folded), pictures) if len(pictures) else {}
    return _Graph(folded, peaks).model().SerializeToString(deterministic=True)


def _peaks(graph: _Graph, pictures: Sequence[np.ndarray]) -> dict[str, float]:
    """The largest values in the inputs of convolutions, by the convolutions' names."""
    model = graph.model()
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in dict.fromkeys(graph.inputs.values())
    )
    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(model.SerializeToString()), "CPU", options).create_infer_request()
    seen: dict[str, float] = {}
    for batch in pictures:
        for port, values in request.infer([batch]).items():
            peak = float(values.max())
            seen |= {name: max(peak, seen.get(name, 0.0)) for name in port.names}
    return {layer: seen[name] for layer, name in graph.inputs.items() if seen[name] > 0}


class _Graph:
    """An ONNX graph that grows by the layers of a network, in their order.

    Feature maps are (B, C, H, W), which Keras has as (B, H, W, C); sequences are (B, T, C) in both.

    Attributes:
        inputs: names of what the convolutions that can be 8-bit take, by their layers' names. All of it is above 0.
    """

    def __init__(self, network: keras.Model, peaks: Mapping[str, float] = {}) -> None:
        self.inputs: dict[str, str] = {}
        self._peaks, self._convolutions = peaks, 0
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._rounded: dict[str, str] = {}
        self._names: dict[int, str] = {}  # of what each Keras tensor has become, by the tensor's id
        self._padded: dict[str, tuple[str, list[int]]] = {}  # what zeros are added to, and how many, by the result
        (image,) = network.inputs
        # The height is open also where it is fixed: with a fixed one, OpenVINO 2026.4 adds the first convolution's bias
        # in a pass of its own, which takes 6 % of a recognizer's time.
        shape: list[str | int | None] = ["batch", "height", "width", 1]
        self._inputs = [helper.make_tensor_value_info(_PICTURE, TensorProto.UINT8, shape)]
        floats = self._add("Cast", [_PICTURE], to=TensorProto.FLOAT)
        self._names[id(image)] = self._pixels = self._add("Transpose", [floats], perm=[0, 3, 1, 2])
        for operation in network.operations:
            if not isinstance(operation, layers.InputLayer):
                self._add_layer(operation)
        outputs = network.output if isinstance(network.output, dict) else {LOGITS: network.output}
        self._outputs = [self._output(name, tensor) for name, tensor in outputs.items()]

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self._nodes, "pagebeam", self._inputs, self._outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        return model

    def _add_layer(self, layer: Any) -> None:
        kind = next((kind for kind in _WRITERS if type(layer) is kind), None)
        if kind is None:
            raise TypeError(f"layer {layer.name} is a {type(layer).__name__}, which detectors and CRNNs don't have")
        (node,) = layer._inbound_nodes
        inputs = [self._names[id(tensor)] for tensor in node.input_tensors]
        (output,) = node.output_tensors
        self._names[id(output)] = _WRITERS[kind](self, layer, inputs)

    def _add(self, operation: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{operation}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, inputs, [name], name, **attributes))
        return name

    def _constant(self, name: str, values: Any, kind: type = np.float32) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(np.array(values, kind)), name))
        return name

    def _weight(self, name: str, values: np.ndarray) -> str:
        """A trained constant, stored in half precision."""
        return self._add("Cast", [self._constant(name, values, np.float16)], to=TensorProto.FLOAT)

    def _output(self, name: str, tensor: Any) -> onnx.ValueInfoProto:
        is_map = len(tensor.shape) == 4
        operation = "Transpose" if is_map else "Identity"
        attributes: dict[str, Any] = {"perm": [0, 2, 3, 1]} if is_map else {}
        self._nodes.append(helper.make_node(operation, [self._names[id(tensor)]], [name], name, **attributes))
        shape = ["batch", "rows", "columns", tensor.shape[-1]] if is_map else ["batch", "steps", tensor.shape[-1]]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    # One writer for each kind of layer: from the layer and the names of its inputs to the name of its output.

    def rescaling(self, layer: layers.Rescaling, inputs: list[str]) -> str:
        if inputs == [self._pixels]:
            self._rescaling = layer
            return self._pixels
        scaled = self._add("Mul", [*inputs, self._constant(f"{layer.name}_scale", layer.scale)])
        return self._add("Add", [scaled, self._constant(f"{layer.name}_offset", layer.offset)])

    def convolution(self, layer: layers.Conv2D, inputs: list[str]) -> str:
        kernel, *rest = layer.get_weights()
        bias = rest[0] if rest else np.zeros(kernel.shape[-1], np.float32)
        attributes: dict[str, Any] = {"strides": list(layer.strides), "kernel_shape": list(layer.kernel_size)}
        source, pads = self._padded.get(inputs[0], (inputs[0], []))
        inputs = [source]
        self._convolutions += 1
        if self._convolutions > _FIRST and layer.filters > _FEW_CHANNELS:
            self.inputs[layer.name] = inputs[0]
        if inputs == [self._pixels]:
            x = self._first_convolution(kernel, bias, attributes)
        else:
            kernel = kernel.transpose(3, 2, 0, 1)
            if layer.name in self._peaks:
                inputs = [self._as_bytes(inputs[0], self._peaks[layer.name]), self._byte_weight(layer.name, kernel)]
            else:
                inputs = [*inputs, self._weight(f"{layer.name}_kernel", kernel)]
            attributes |= (
                {"pads": pads} if pads else {"auto_pad": {"same": "SAME_UPPER", "valid": "VALID"}[layer.padding]}
            )
            x = self._add("Conv", [*inputs, self._weight(f"{layer.name}_bias", bias)], **attributes)
        return self._add("Sigmoid", [x]) if layer.activation is keras.activations.sigmoid else x

    def _first_convolution(self, kernel: np.ndarray, bias: np.ndarray, attributes: dict[str, Any]) -> str:
        """The rescaling and the first convolution as one, over pixels as they are, which takes a sixth less time.

        The border that "same" adds to a picture of even sides gets the gray that is rescaled to 0.
        """
        scale, offset = self._rescaling.scale, self._rescaling.offset
        totals = [side - stride for side, stride in zip(attributes["kernel_shape"], attributes["strides"], strict=True)]
        before, after = [total // 2 for total in totals], [total - total // 2 for total in totals]
        border = self._constant("border", [0, 0, *before, 0, 0, *after], np.int64)
        padded = self._add("Pad", [self._pixels, border, self._constant("gray", -offset / scale)])
        weights = [
            self._constant("first_kernel", (kernel * scale).transpose(3, 2, 0, 1)),
            self._constant("first_bias", bias + offset * kernel.sum((0, 1, 2))),
        ]
        return self._add("Conv", [padded, *weights], **attributes)

    def _as_bytes(self, x: str, peak: float) -> str:
        """Values from 0 to ``peak``, rounded to 255 steps."""
        if x not in self._rounded:
            scale, zero = self._constant(f"{x}_scale", peak / 255), self._constant(f"{x}_zero", 0, np.uint8)
            rounded = self._add("QuantizeLinear", [x, scale, zero])
            self._rounded[x] = self._add("DequantizeLinear", [rounded, scale, zero])
        return self._rounded[x]

    def _byte_weight(self, name: str, kernel: np.ndarray) -> str:
        """A kernel (C out, C in, h, w) rounded to 127 steps above and below 0, for each output channel on its own."""
        scale = np.maximum(np.abs(kernel).max((1, 2, 3)), 1e-9) / 127
        rounded = self._constant(f"{name}_kernel", np.round(kernel / scale[:, None, None, None]), np.int8)
        zeros = self._constant(f"{name}_zeros", np.zeros(len(scale)), np.int8)
        return self._add("DequantizeLinear", [rounded, self._constant(f"{name}_scales", scale), zeros], axis=0)

    def relu(self, layer: layers.ReLU, inputs: list[str]) -> str:
        return self._add("Relu", inputs)

    def max_pooling(self, layer: layers.MaxPooling2D, inputs: list[str]) -> str:
        return self._add("MaxPool", inputs, kernel_shape=list(layer.pool_size), strides=list(layer.strides))

    def zero_padding(self, layer: layers.ZeroPadding2D, inputs: list[str]) -> str:
        """Nothing yet: the convolution that follows, whose own padding is "valid", adds the zeros itself."""
        (top, bottom), (left, right) = layer.padding
        self._padded[layer.name] = inputs[0], [top, left, bottom, right]
        return layer.name

    def upsampling(self, layer: layers.UpSampling2D, inputs: list[str]) -> str:
        scales = self._constant(f"{layer.name}_scales", [1, 1, *layer.size])
        return self._add("Resize", [*inputs, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")

    def add(self, layer: layers.Add, inputs: list[str]) -> str:
        return self._add("Add", inputs)

    def concatenate(self, layer: layers.Concatenate, inputs: list[str]) -> str:
        return self._add("Concat", inputs, axis=1)  # of channels

    def map_to_sequence(self, layer: layers.Reshape, inputs: list[str]) -> str:
        """(B, C, 1, T) → (B, T, C)."""
        x = self._add("Squeeze", [*inputs, self._constant(f"{layer.name}_axis", [2], np.int64)])
        return self._add("Transpose", [x], perm=[0, 2, 1])

    def bidirectional_lstm(self, layer: layers.Bidirectional, inputs: list[str]) -> str:
        """(B, T, C) → (B, T, 2 * units). Gates are in the order i, f, c, o in Keras, and i, o, f, c in ONNX.

        Two forward LSTMs, one of which sees the steps in reverse: OpenVINO 2026.4 takes 1.7 times as long for an LSTM
        that goes backward itself.
        """
        steps = self._add("Transpose", inputs, perm=[1, 0, 2])
        forward = self._lstm(f"{layer.name}_forward", layer.forward_layer, steps)
        backward = self._reversed(self._lstm(f"{layer.name}_backward", layer.backward_layer, self._reversed(steps)))
        x = self._add("Concat", [forward, backward], axis=3)  # (T, 1, B, 2 * units)
        x = self._add("Squeeze", [x, self._constant(f"{layer.name}_axis", [1], np.int64)])
        return self._add("Transpose", [x], perm=[1, 0, 2])

    def _lstm(self, name: str, layer: layers.LSTM, steps: str) -> str:
        """(T, B, C) → (T, 1, B, units)."""
        kernel, recurrent, bias = (_onnx_gates(w, layer.units)[None] for w in layer.get_weights())
        weights = [
            self._weight(f"{name}_kernel", kernel.transpose(0, 2, 1)),
            self._weight(f"{name}_recurrent", recurrent.transpose(0, 2, 1)),
            self._weight(f"{name}_bias", np.concatenate([bias, np.zeros_like(bias)], axis=1)),
        ]
        # The activations are the operator's defaults. OpenVINO 2026.4 turns an LSTM that names them into a slower loop.
        return self._add("LSTM", [steps, *weights], hidden_size=layer.units)

    def _reversed(self, steps: str) -> str:
        last, before_first, axis, step = (
            self._constant(f"{steps}_{name}", [value], np.int64)
            for name, value in (("last", -1), ("before_first", np.iinfo(np.int64).min), ("axis", 0), ("step", -1))
        )
        return self._add("Slice", [steps, last, before_first, axis, step])

    def dense(self, layer: layers.Dense, inputs: list[str]) -> str:
        kernel, bias = layer.get_weights()
        x = self._add("MatMul", [*inputs, self._weight(f"{layer.name}_kernel", kernel)])
        return self._add("Add", [x, self._weight(f"{layer.name}_bias", bias)])


def _onnx_gates(weights: np.ndarray, units: int) -> np.ndarray:
    i, f, c, o = np.split(weights, [units, 2 * units, 3 * units], axis=-1)
    return np.concatenate([i, o, f, c], axis=-1)


_WRITERS: dict[type, Callable[[_Graph, Any, list[str]], str]] = {
    layers.Rescaling: _Graph.rescaling,
    layers.Conv2D: _Graph.convolution,
    layers.ReLU: _Graph.relu,
    layers.MaxPooling2D: _Graph.max_pooling,
    layers.ZeroPadding2D: _Graph.zero_padding,
    layers.UpSampling2D: _Graph.upsampling,
    layers.Add: _Graph.add,
    layers.Concatenate: _Graph.concatenate,
    layers.Reshape: _Graph.map_to_sequence,
    layers.Bidirectional: _Graph.bidirectional_lstm,
    layers.Dense: _Graph.dense,
}
