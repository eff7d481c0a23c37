"""Networks as TensorFlow graphs: what a bundle keeps beside its Keras model, to load in a fifth of the time.

Keras builds a model layer by layer, twice where batch norms are folded, and TensorFlow traces it for each shape of
picture; a graph (a ``GraphDef`` with the folded weights as constants) is there at once, for all shapes. Its weights are
in half precision, for the space: on most machines convolutions are computed in less.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from ocr_models.inference.batch_norm_folding import fold_batch_norm

_OUTPUT = "output_"  # names of a graph's outputs start with it; of a single one nothing follows


def freeze(network: keras.Model) -> bytes | None:
    """A network of uint8 pictures (B, H, W, 1) as the bytes of a graph; None where TensorFlow isn't Keras's backend.

    None, too, for a network that isn't used as it is trained: an attention recognizer, which has several inputs.
    """
    if keras.backend.backend() != "tensorflow" or len(network.inputs) != 1:
        return None
    import tensorflow as tf

    folded = _for_any_machine(fold_batch_norm(network))
    trainable, others = ([v.numpy() for v in vs] for vs in (folded.trainable_variables, folded.non_trainable_variables))

    def forward(x):
        outputs, _ = folded.stateless_call(list(map(_halved, trainable)), list(map(_halved, others)), x)
        named = outputs if isinstance(outputs, dict) else {"": outputs}
        for name, output in named.items():
            tf.identity(output, name=_OUTPUT + name)

    (image,) = network.inputs
    traced = tf.function(forward, input_signature=[tf.TensorSpec(image.shape, tf.uint8, name="x")])
    return traced.get_concrete_function().graph.as_graph_def().SerializeToString(deterministic=True)


def _halved(weights: np.ndarray) -> Any:
    """The weights as they are computed with, made in the graph of what it stores."""
    import tensorflow as tf

    return tf.cast(tf.constant(weights.astype(np.float16)), tf.float32) if weights.dtype == np.float32 else weights


def _for_any_machine(network: keras.Model) -> keras.Model:
    """A copy whose unpooling doesn't need to know the picture's size, as Keras's own does on TensorFlow, and whose
    LSTMs run without a GPU, too, wherever the graph is made."""
    import tensorflow as tf

    class Unpool(layers.UpSampling2D):
        def call(self, x):
            return tf.image.resize(x, self.size[0] * tf.shape(x)[1:3])

    def clone(layer):
        is_bilinear = isinstance(layer, layers.UpSampling2D) and layer.interpolation == "bilinear"
        copy = (Unpool if is_bilinear else type(layer)).from_config(layer.get_config())
        if isinstance(copy, layers.Bidirectional):
            copy.forward_layer.use_cudnn = copy.backward_layer.use_cudnn = False
        return copy

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    return copy


class FrozenNetwork:
    """A graph that ``freeze`` made, to be called with uint8 pictures (B, H, W, 1), for the network's outputs."""

    def __init__(self, serialized: bytes):
        import tensorflow as tf

        graph = tf.compat.v1.GraphDef.FromString(serialized)
        names = [node.name for node in graph.node if node.name.startswith(_OUTPUT)]
        (image,) = (node for node in graph.node if node.name == "x")
        spec = tf.TensorSpec(tf.TensorShape(image.attr["shape"].shape), image.attr["dtype"].type)

        def forward(x):
            outputs = tf.graph_util.import_graph_def(
                graph, input_map={"x:0": x}, return_elements=[f"{name}:0" for name in names], name=""
            )
            named = {name.removeprefix(_OUTPUT): output for name, output in zip(names, outputs, strict=True)}
            return named.get("", named)

        # Unlike ``tf.function`` it takes a graph's own functions along, which loops are made of.
        self._forward = tf.compat.v1.wrap_function(forward, [spec])

    def __call__(self, x: Any, training: bool = False) -> Any:
        return self._forward(x)
