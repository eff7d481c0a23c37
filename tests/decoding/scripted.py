"""Fake steps whose logits are written down beforehand, and what the tests of decoding share."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops


class ScriptState(NamedTuple):
    """What a scripted step remembers, (B,) each: its row of the script, steps taken, and the last input."""

    row: Any
    time: Any
    fed: Any


def script_state(batch_size: int) -> ScriptState:
    zeros = np.zeros(batch_size, np.int32)
    return ScriptState(np.arange(batch_size, dtype=np.int32), zeros, zeros)


def scripted_step(logits):
    """A step that gives row b at time t the logits[b, t] of (B, L, V), whatever it is fed."""
    return chain_step(np.asarray(logits)[:, :, None])


def markov_step(logits):
    """A step that gives row b after the id i the logits[b, i] of (B, V, V), at any time."""
    return chain_step(np.asarray(logits)[:, None])


def chain_step(logits):
    """A step that gives row b at time t after the id i the logits[b, t, i] of (B, L, V, V); L and V may be 1 for all.

    Other than in a Markov chain, where "abcab" and "acbab" may be equally likely, no two sequences tie by chance.
    """
    _, length, ids, classes = np.shape(logits)
    flat = np.reshape(np.asarray(logits, np.float32), (-1, classes))

    def step(fed, state):
        column = (state.row * length + (state.time if length > 1 else 0)) * ids + (fed if ids > 1 else 0)
        logits = ops.take(ops.convert_to_tensor(flat), column, axis=0)
        return logits, ScriptState(state.row, state.time + 1, ops.cast(fed, "int32"))

    return step


def uncompiled():
    """Where loops run step by step in Python, so that calls can be counted."""
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.disable_jit()


def counted(step):
    """The step, and a list that grows by one at each call."""
    calls: list[int] = []

    def counting_step(inputs, state):
        calls.append(1)
        return step(inputs, state)

    return counting_step, calls


def log_softmax(logits):
    """Along the last axis, in float64."""
    logits = np.asarray(logits, np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def random_logits(seed, *shape):
    return (2 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)
