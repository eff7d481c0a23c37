"""The decode loop: runs a model's step under a strategy until every row has ended.

A step is any function ``step(inputs, state) -> (outputs, state)``: for text, inputs are token ids (B,) and outputs are
logits (B, V). ``state`` is any tree (tuples, dicts, NamedTuples) of tensors whose first axis is the batch. What doesn't
change from step to step, such as an encoder's memory, the step closes over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops, tree

from ocr_models.decoding.strategies import Strategy


class Decoded(NamedTuple):
    """What a decode loop gives. L is ``max_length``, or the strategy's ``num_steps``.

    Attributes:
        outputs: (B, L, ...) or a tree of such: the steps' outputs, 0 after a row's end.
        ids: int32 (B, L), the ids chosen, with the end id, ``pad_id`` after it; ``None`` if the strategy chose none.
        lengths: int32 (B,), steps that each row took, the one that ended it included.
        finished: bool (B,), rows that ended; the others were cut off.
        state: each row's state after its last step.
        history: (B, L, ...) or a tree of such, collected from the states, 0 after a row's end; ``None`` without.
    """

    outputs: Any
    ids: Any
    lengths: Any
    finished: Any
    state: Any
    history: Any


def decode(step, state, strategy: Strategy, max_length: int | None = None, history=None) -> Decoded:
    """Run a step under a strategy.

    Args:
        step: ``step(inputs, state) -> (outputs, state)``. Its layers must be built: no weights can be made in a loop.
        state: the state before the first step.
        strategy: chooses inputs and ids, such as ``TeacherForcing(token_ids)`` or ``Greedy(start_id, end_id)``.
        max_length: int or (on TensorFlow) scalar tensor, at most so many steps. May be left out for a strategy that
            knows its number of steps.
        history: a function of the state; what it gives, (B, ...) or a tree of such, is collected at each step, as
            ``lambda state: state.alignments``.

    Raises:
        ValueError: nothing limits the number of steps, or the state is empty.
    """
    num_steps = _num_steps(strategy, max_length)
    if not tree.flatten(state):
        raise ValueError("The state has no tensor, so the batch size is unknown: put a tensor (B, ...) into it.")
    batch_size = ops.shape(tree.flatten(state)[0])[0]
    plan = tree.map_structure(ops.convert_to_tensor, strategy.plan(batch_size, num_steps))
    advance = _Advance(step, strategy, history)
    # The first step runs before the loop: its results tell the loop all shapes and types.
    first = advance.first(state, batch_size, _at(plan, 0))
    run = _run_to_the_end if strategy.num_steps is None else _run_all_steps
    last, records = run(advance, first, plan, num_steps)
    outputs, ids, collected = tree.map_structure(lambda x: ops.moveaxis(x, 0, 1), records)
    return Decoded(outputs, _or_none(ids), last.lengths, last.finished, last.state, _or_none(collected))


class _Record(NamedTuple):
    """What is kept of every step: (B, ...) within the loop, (L, B, ...) after it. () stands for nothing."""

    outputs: Any
    ids: Any
    history: Any


class _Carry(NamedTuple):
    """What a step leaves to the next one."""

    state: Any
    finished: Any  # bool (B,)
    lengths: Any  # int32 (B,)
    record: _Record


class _Advance:
    """One turn of the loop: inputs from the strategy, the step, ids from the strategy, ended rows frozen."""

    def __init__(self, step, strategy, history):
        self.step = step
        self.strategy = strategy
        self.history = history

    def first(self, state, batch_size, planned) -> _Carry:
        nothing = _Record((), (), ())
        start = _Carry(state, ops.zeros((batch_size,), "bool"), ops.zeros((batch_size,), "int32"), nothing)
        return self._take_step(self.strategy.first_inputs(batch_size, planned), start, planned)

    def __call__(self, carry: _Carry, planned) -> _Carry:
        ids = _or_none(carry.record.ids)
        return self._take_step(self.strategy.next_inputs(carry.record.outputs, ids, planned), carry, planned)

    def _take_step(self, inputs, carry, planned):
        outputs, state = self.step(inputs, carry.state)
        ids = self.strategy.sample(outputs, planned)
        ends = self.strategy.ends(outputs, ids, planned)
        record = _Record(outputs, () if ids is None else ids, () if self.history is None else self.history(state))
        lengths = carry.lengths + ops.cast(ops.logical_not(carry.finished), "int32")
        if ends is None:  # no row ever ends, so nothing has to be frozen
            return _Carry(state, carry.finished, lengths, record)
        state = _where(carry.finished, carry.state, state)
        finished = ops.logical_or(carry.finished, ends)
        return _Carry(state, finished, lengths, self.blank(carry.finished, record))

    def blank(self, rows, record: _Record) -> _Record:
        """The record with zeros, and pads for ids, in some rows, bool (B,): those that ended before."""
        zeros = tree.map_structure(ops.zeros_like, record)
        pads = tree.map_structure(lambda ids: ids + self.strategy.pad_id, zeros.ids)
        return _where(rows, zeros._replace(ids=pads), record)


def _run_to_the_end(advance: _Advance, first: _Carry, plan, num_steps):
    """The last carry and all records, by a loop that stops when all rows have ended. It has no gradient on JAX."""
    blank = advance.blank(ops.ones_like(first.finished), first.record)
    buffers = buffers_for(blank, num_steps)

    def body(time, carry, buffers):
        carry = advance(carry, _at(plan, time))
        return time + 1, carry, write_step(buffers, time, carry.record)

    def go_on(time, carry, buffers):
        return ops.logical_and(time < num_steps, ops.logical_not(ops.all(carry.finished)))

    start = (ops.convert_to_tensor(1, "int32"), first, write_step(buffers, 0, first.record))
    _, last, records = ops.while_loop(go_on, body, start)
    return last, records


def _run_all_steps(advance: _Advance, first: _Carry, plan, num_steps):
    """The last carry and all records, by a scan over a fixed number of steps, through which gradients flow."""
    # At least one step for the scan, since TensorFlow can't stack none; what is too much is cut off again.
    end = max(num_steps, 2) if isinstance(num_steps, int) else ops.maximum(num_steps, 2)
    times = ops.minimum(ops.arange(1, end, dtype="int32"), num_steps - 1)

    # A plan of one tensor is cut by the scan, with a cheaper gradient; of several, TensorFlow's needs a known length.
    cut = len(tree.flatten(plan)) == 1
    steps = tree.map_structure(lambda x: ops.take(x, times, axis=0), plan) if cut else times

    def body(carry, this):
        carry = advance(carry, this if cut else _at(plan, this))
        return carry, carry  # Keras wants what is stacked to be like what is carried

    _, carries = ops.scan(body, first, steps)
    carries = tree.map_structure(lambda x, xs: ops.concatenate([x[None], xs])[:num_steps], first, carries)
    return _at(carries, -1), carries.record


def _num_steps(strategy: Strategy, max_length):
    """The length of the loop: the strategy's own or ``max_length``, the lesser if both are known."""
    if isinstance(max_length, int) and max_length < 1:
        raise ValueError(f"max_length is {max_length}, but at least one step must be taken.")
    own = strategy.num_steps
    if own is None and max_length is None:
        raise ValueError(f"{type(strategy).__name__} needs a max_length: it doesn't know when to stop.")
    if own is None or max_length is None:
        return max_length if own is None else own
    known = isinstance(own, int) and isinstance(max_length, int)
    return min(own, max_length) if known else ops.minimum(own, max_length)


def _at(steps, time):
    """The slice of one time step: (L, B, ...) -> (B, ...)"""
    return tree.map_structure(lambda x: x[time], steps)


def buffers_for(record, num_steps):
    """Buffers (L, B, ...) that hold the record (B, ...) at every time step: a tree, like the record."""
    return tree.map_structure(lambda x: ops.broadcast_to(x[None], (num_steps, *ops.shape(x))), record)


def write_step(buffers, time, record):
    """The buffers (L, B, ...) with a record (B, ...) at one time step."""
    index = ops.reshape(ops.convert_to_tensor(time, "int32"), (1, 1))
    return tree.map_structure(lambda xs, x: ops.scatter_update(xs, index, x[None]), buffers, record)


def _where(rows, chosen, other):
    """Row by row: the tree ``chosen`` where ``rows`` (B,) is true, else the tree ``other``."""

    def choose(x, y):
        return ops.where(ops.reshape(rows, (-1, *[1] * (len(y.shape) - 1))), x, y)

    return tree.map_structure(choose, chosen, other)


def _or_none(value):
    return None if isinstance(value, tuple) and not value else value
