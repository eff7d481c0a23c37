"""Networks computed by TensorFlow or JAX, from the Keras models of bundles."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ocr_models.bundle import Bundle
from ocr_models.errors import UsageError
from ocr_models.inference.batch_norm_folding import fold_batch_norm
from ocr_models.inference.engines import Forward
from ocr_models.inference.keras_classes import check_model
from ocr_models.inference.precision import use_bfloat16


def load_network(bundle: Bundle) -> keras.Model:
    """Loads a bundle's Keras model for prediction, with its batch norms folded. Raises as ``load_keras_model``."""
    return fold_batch_norm(load_keras_model(bundle))


def load_keras_model(bundle: Bundle) -> keras.Model:
    """Loads a bundle's Keras model, without its optimizer.

    The classes of layers that it is made of must have been imported before.

    Raises:
        UsageError: it can't be loaded, or has classes that our networks don't have.
    """
    check_model(bundle.model_path)
    try:
        return keras.saving.load_model(bundle.model_path, compile=False, safe_mode=True)
    except (OSError, TypeError, ValueError) as error:  # the latter two for what it refuses
        raise UsageError(f"{bundle.model_path}: can't be loaded: {' '.join(str(error).split())}") from error


def compile_forward(model: keras.Model, inputs: Any = None) -> Forward:
    """Compiles the model's prediction to a function of an array, or a tree of arrays (``tf.function`` or ``jax.jit``).

    On TensorFlow it computes in bfloat16 where the processor has it; see ``use_bfloat16``, which is set for the whole
    process.

    Args:
        model: the network.
        inputs: the shapes and types that all inputs have in common: a tree of ``keras.KerasTensor``, with None for
            sides that vary. TensorFlow then compiles once instead of once for each shape that it meets.
    """
    if keras.backend.backend() == "jax":
        import jax

        trainable = [v.value for v in model.trainable_variables]
        fixed = [v.value for v in model.non_trainable_variables]
        forward = jax.jit(lambda t, n, x: model.stateless_call(t, n, x, training=False)[0])
        return lambda x: jax.tree_util.tree_map(np.asarray, forward(trainable, fixed, x))
    import tensorflow as tf

    use_bfloat16()
    signature = None
    if inputs is not None:
        signature = [tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), inputs)]
    forward = tf.function(lambda x: model(x, training=False), input_signature=signature, jit_compile=False)
    return lambda x: tf.nest.map_structure(lambda y: y.numpy(), forward(tf.nest.map_structure(tf.constant, x)))
