"""Networks as frozen TensorFlow graphs, which a bundle keeps beside its Keras model and which load five times as fast.

Keras builds a model layer by layer, twice where batch norms are folded, and TensorFlow traces it for each shape of
picture. A frozen graph (a ``GraphDef`` with the folded weights as constants) serves all shapes as it is. Its weights
are stored in half precision to save space; bfloat16, in which many processors compute convolutions, is coarser.

A graph may come from a stranger, and TensorFlow runs any operation that it finds in one, such as those that read and
write files. Only the operations of our own networks are therefore let in.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from ocr_models.errors import UsageError
from ocr_models.inference.batch_norm_folding import fold_batch_norm

_OUTPUT = "output_"  # prefix of the names of outputs; the name of a single output is the prefix alone

# What ``freeze`` writes for all architectures of detectors and CRNNs (TensorFlow 2.21, Keras 3.15); the tests compare.
# All of them only compute from their inputs: none reads or writes files, runs code, or keeps state.
_OPERATIONS = """
AddV2 BiasAdd Cast ConcatV2 Const Conv2D Fill GatherV2 Identity Less LogicalAnd MatMul MaxPool Mul Pack Pad Placeholder
Prod Relu Reshape ResizeBilinear ReverseV2 Shape Sigmoid Split Squeeze StatelessWhile StridedSlice Tanh
TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem TensorListStack Transpose
"""


def freeze(network: keras.Model) -> bytes | None:
    """Converts a network of uint8 pictures (B, H, W, 1) to the bytes of a graph.

    Returns None if Keras's backend isn't TensorFlow, and for attention recognizers, whose network has several inputs
    and is used in another form than it is trained in. So it does if TensorFlow or Keras, in another version, writes
    operations that ``FrozenNetwork`` would refuse.
    """
    if keras.backend.backend() != "tensorflow" or len(network.inputs) != 1:
        return None
    import tensorflow as tf

    folded = _for_any_machine(fold_batch_norm(network))
    trainable, others = ([v.numpy() for v in vs] for vs in (folded.trainable_variables, folded.non_trainable_variables))

    def forward(x: Any) -> None:
        outputs, _ = folded.stateless_call(list(map(_halved, trainable)), list(map(_halved, others)), x)
        named = outputs if isinstance(outputs, dict) else {"": outputs}
        for name, output in named.items():
            tf.identity(output, name=_OUTPUT + name)

    (image,) = network.inputs
    traced = tf.function(forward, input_signature=[tf.TensorSpec(image.shape, tf.uint8, name="x")])
    graph = traced.get_concrete_function().graph.as_graph_def()
    return None if foreign_operations(graph) else graph.SerializeToString(deterministic=True)


def foreign_operations(graph: Any) -> list[str]:
    """Names of the operations in a ``GraphDef``, and in the functions that it carries, that our networks don't have."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return sorted({node.op for node in nodes} - {*_OPERATIONS.split()})


def _halved(weights: np.ndarray) -> Any:
    """The weights as a float32 tensor that the graph computes from stored half-precision constants."""
    import tensorflow as tf

    return tf.cast(tf.constant(weights.astype(np.float16)), tf.float32) if weights.dtype == np.float32 else weights


def _for_any_machine(network: keras.Model) -> keras.Model:
    """Copies a network for graphs that serve all pictures on any machine.

    Keras's upsampling needs a known size on TensorFlow, so that it is replaced; and a graph that is made on a machine
    with a GPU must not have cuDNN's LSTMs.
    """
    import tensorflow as tf

    class Unpool(layers.UpSampling2D):
        def call(self, x) -> Any:
            return tf.image.resize(x, self.size[0] * tf.shape(x)[1:3])

    def clone(layer) -> layers.Layer:
        is_bilinear = isinstance(layer, layers.UpSampling2D) and layer.interpolation == "bilinear"
        copy = (Unpool if is_bilinear else type(layer)).from_config(layer.get_config())
        if isinstance(copy, layers.Bidirectional):
            copy.forward_layer.use_cudnn = copy.backward_layer.use_cudnn = False
        return copy

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    return copy


class FrozenNetwork:
    """A network loaded from the bytes that ``freeze`` returned; call it with uint8 pictures (B, H, W, 1).

    Args:
        serialized: the bytes.
        name: of the file that they are from, for errors.

    Raises:
        UsageError: they are no graph, or a graph with operations that our networks don't have.
    """

    def __init__(self, serialized: bytes, name: str = "the graph") -> None:
        import tensorflow as tf

        graph = _parse(serialized, name)
        names = [node.name for node in graph.node if node.name.startswith(_OUTPUT)]
        (image,) = (node for node in graph.node if node.name == "x")
        spec = tf.TensorSpec(tf.TensorShape(image.attr["shape"].shape), image.attr["dtype"].type)

        def forward(x: Any) -> Any:
            outputs = tf.graph_util.import_graph_def(
                graph, input_map={"x:0": x}, return_elements=[f"{name}:0" for name in names], name=""
            )
            named = {name.removeprefix(_OUTPUT): output for name, output in zip(names, outputs, strict=True)}
            return named.get("", named)

        # Unlike ``tf.function``, it imports the functions of the graph, which its loops consist of.
        self._forward = tf.compat.v1.wrap_function(forward, [spec])

    def __call__(self, x: Any, training: bool = False) -> Any:
        return self._forward(x)


def _parse(serialized: bytes, name: str) -> Any:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        graph = tf.compat.v1.GraphDef.FromString(serialized)
    except DecodeError as error:
        raise UsageError(f"{name}: no TensorFlow graph ({error}); copy the bundle whole or train it anew") from error
    if foreign := foreign_operations(graph):
        raise UsageError(
            f"{name}: refused: it has operations that Pagebeam's networks don't have ({', '.join(foreign)}), which may "
            "read or write files; use bundles only from people whom you trust, or train your own"
        )
    return graph
