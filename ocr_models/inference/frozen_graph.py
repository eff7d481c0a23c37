"""Networks as frozen TensorFlow graphs, which a bundle keeps beside its Keras model and which load five times as fast.

Keras builds a model layer by layer, twice where batch norms are folded, and TensorFlow traces it for each shape of
picture. A frozen graph (a ``GraphDef`` with the folded weights as constants) serves all shapes as it is. Its weights
are stored in half precision to save space; bfloat16, in which many processors compute convolutions, is coarser.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from ocr_models.inference.batch_norm_folding import fold_batch_norm

_OUTPUT = "output_"  # prefix of the names of outputs; the name of a single output is the prefix alone


def freeze(network: keras.Model) -> bytes | None:
    """Converts a network of uint8 pictures (B, H, W, 1) to the bytes of a graph.

    Returns None if Keras's backend isn't TensorFlow, and for attention recognizers, whose network has several inputs
    and is used in another form than it is trained in.
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
    return traced.get_concrete_function().graph.as_graph_def().SerializeToString(deterministic=True)


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
    """A network loaded from the bytes that ``freeze`` returned; call it with uint8 pictures (B, H, W, 1)."""

    def __init__(self, serialized: bytes) -> None:
        import tensorflow as tf

        graph = tf.compat.v1.GraphDef.FromString(serialized)
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
