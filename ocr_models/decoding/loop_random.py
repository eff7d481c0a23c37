"""Random numbers inside compiled loops, on TensorFlow and on JAX."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="pagebeam")
class LoopRandom(keras.layers.Layer):
    """Gives a new seed at every step of a loop, although the generator advances only once per sequence.

    A ``SeedGenerator`` can't be advanced inside ``ops.scan`` or ``ops.while_loop`` on JAX: the body of the loop is
    traced once, so that every step would get the same seed, and the new state of the generator would leak out of the
    trace. Here the loop only reads the generator, and adds a fingerprint of the tensors of the step, which differs from
    step to step because of the recurrent state.

    Calling the layer before the loop returns its input unchanged, and advances the generator if the surrounding Keras
    layer or model was called with ``training=True``. Otherwise (in a loop outside of any Keras call), only the
    fingerprint distinguishes batches: new weights or data give new numbers, equal ones give equal numbers.
    """

    def __init__(self, seed: int | None = None, **kwargs) -> None:
        super().__init__(autocast=False, **kwargs)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=None) -> Any:
        if training:
            self.generator.next()
        return inputs

    def step_seed(self, *tensors) -> keras.random.SeedGenerator:
        """A seed for one ``keras.random`` function at one step, given the tensors of this step."""
        state = ops.convert_to_tensor(self.generator.state)  # (seed, number of sequences)
        fingerprint = _fingerprint(tensors)
        return _DrawnSeed(state + ops.cast(ops.stack([fingerprint, ops.zeros_like(fingerprint)]), state.dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


class _DrawnSeed(keras.random.SeedGenerator):
    """A single seed in the form that ``keras.random`` accepts on every backend."""

    def __init__(self, value: Any) -> None:  # makes no variable, unlike the base class
        self._value = value

    def next(self, ordered=True) -> Any:
        return self._value


def _fingerprint(tensors) -> Any:
    """A hash, int32, that very likely changes if a number in one of the tensors changes."""
    result = 0
    for tensor in tensors:
        bits = ops.view(ops.cast(ops.stop_gradient(tensor), "float32"), "int32")
        running = ops.cumsum(_scramble(bits), axis=-1)  # so that the order of columns matters
        result = _scramble(result + ops.sum(running))
    return result


def _scramble(bits) -> Any:
    """Mixes low and high bits, since small whole numbers as floats differ in high bits only. Overflow wraps."""
    for _ in range(2):
        bits = ops.bitwise_xor(bits, ops.right_shift(bits, 15)) * 0x2C1B3C6D
    return bits
