"""What the tests of attention and cells share: compilation on either backend, and a model that drives a wrapper."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops, tree


def compiled(function):
    """The function, compiled by ``tf.function`` or ``jax.jit``."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


def numpy(x):
    """A tree of tensors as NumPy arrays, bfloat16 as float32."""
    return tree.map_structure(lambda t: ops.convert_to_numpy(t if t.dtype == bool else ops.cast(t, "float32")), x)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def length_mask(lengths, total):
    """bool (B, T), True for the first ``lengths`` positions of each row."""
    return np.arange(total)[None] < np.array(lengths)[:, None]


def scan_steps(wrapper, inputs, memory, memory_mask=None, training=None):
    """Runs an ``AttentionWrapper`` over inputs (B, L, E) by ``ops.scan``; the states after each step, (L, B, ...)."""
    memory = wrapper.prepare(memory, memory_mask)

    def step(state, step_inputs):
        _, state = wrapper(step_inputs, state, memory, training=training)
        return state, state

    return ops.scan(step, wrapper.get_initial_state(memory), ops.transpose(inputs, (1, 0, 2)))[1]


@keras.saving.register_keras_serializable(package="pagebeam_tests")
class Scanner(keras.Model):
    """Attention vectors (B, L, A) of an ``AttentionWrapper``, for Keras's compiled training on either backend."""

    def __init__(self, wrapper, **kwargs):
        super().__init__(**kwargs)
        self.wrapper = wrapper

    def build(self, input_shape):
        inputs_shape, memory_shape = input_shape
        self.wrapper.build((None, inputs_shape[-1]), memory_shape=memory_shape)

    def call(self, inputs, training=None):
        states = scan_steps(self.wrapper, *inputs, training=training)
        return ops.transpose(states.attention, (1, 0, 2))

    def get_config(self):
        return {"wrapper": keras.saving.serialize_keras_object(self.wrapper)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["wrapper"]))
