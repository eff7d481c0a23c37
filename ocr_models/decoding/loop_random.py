"""Random numbers inside compiled loops, on TensorFlow and on JAX."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="pagebeam")
class LoopRandom(keras.layers.Layer):
    """Gives a fresh seed at every step of a loop, though the generator moves only once a sequence.

    A ``SeedGenerator`` can't be advanced inside ``ops.scan`` or ``ops.while_loop`` on JAX: the loop's body is traced
    once, so that every step would get the same seed, and the generator's new state would leak out of the trace. Here
    the loop only reads the generator, and adds a fingerprint of what the step works on, which the recurrent state makes
    another at each step.

    Calling the layer, before the loop, advances the generator if the surrounding Keras layer or model was called with
    ``training=True``, and returns its input as it is. Where that isn't so (a loop driven outside of any Keras call) the
    fingerprint alone keeps batches apart: new weights or data give new numbers, the same weights and data the same.
    """

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=None):
        if training:
            self.generator.next()
        return inputs

    def step_seed(self, *tensors) -> keras.random.SeedGenerator:
        """A seed for one ``keras.random`` function at one step; ``tensors`` are what this step works on."""
        state = ops.convert_to_tensor(self.generator.state)  # (seed, number of sequences)
        fingerprint = _fingerprint(tensors)
        return _DrawnSeed(state + ops.cast(ops.stack([fingerprint, ops.zeros_like(fingerprint)]), state.dtype))

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


class _DrawnSeed(keras.random.SeedGenerator):
    """One seed, in the form that ``keras.random`` takes on every backend."""

    def __init__(self, value):  # without a variable, which the generator would have
        self._value = value

    def next(self, ordered=True):
        return self._value


def _fingerprint(tensors):
    """A hash, int32, that is another one, very likely, whenever a number in one of the tensors is."""
    result = 0
    for tensor in tensors:
        bits = ops.view(ops.cast(ops.stop_gradient(tensor), "float32"), "int32")
        result = _scramble(result + ops.sum(ops.cumsum(_scramble(bits), axis=-1)))  # a running sum tells columns apart
    return result


def _scramble(bits):
    """Carries low bits up and high bits down, those being all that small whole numbers differ in. Overflow wraps."""
    for _ in range(2):
        bits = ops.bitwise_xor(bits, ops.right_shift(bits, 15)) * 0x2C1B3C6D
    return bits
