"""The decoding loop: runs the step function of a model with a strategy until every row has ended.

A step is any function ``step(inputs, state) -> (outputs, state)``: for text, inputs are token ids (B,) and outputs are
logits (B, V). ``state`` is any tree (tuples, dicts, NamedTuples) of tensors whose first axis is the batch. Values that
don't change from step to step, such as the memory of an encoder, belong to the closure of the step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops, tree

from ocr_models.decoding.strategies import Strategy


class Decoded(NamedTuple):
    """The results of a decoding loop. L is ``max_length``, or ``num_steps`` of the strategy.

    Attributes:
        outputs: (B, L, ...) or a tree of such, the outputs of the steps, 0 after the end of a row.
        ids: int32 (B, L), the chosen ids with the end id, and ``pad_id`` after it; None if the strategy chooses none.
        lengths: int32 (B,), the number of steps of each row, with the one that ended it.
        finished: bool (B,), whether the row ended; others were cut off.
        state: of each row after its last step.
        history: (B, L, ...) or a tree of such, collected from the states, 0 after the end of a row; None if not
            requested.
    """

    outputs: Any
    ids: Any
    lengths: Any
    finished: Any
    state: Any
    history: Any


def decode(step, state, strategy: Strategy, max_length: int | None = None, history=None) -> Decoded:
    """Runs a step function with a strategy.

    Args:
        step: ``step(inputs, state) -> (outputs, state)``. Its layers must be built, since a loop can't make weights.
        state: the state before the first step.
        strategy: chooses inputs and ids, such as ``TeacherForcing(token_ids)`` or ``Greedy(start_id, end_id)``.
        max_length: int or (on TensorFlow) scalar tensor, the largest number of steps. Optional for a strategy that has
            a number of steps.
        history: a function of the state, such as ``lambda state: state.alignments``, whose result, (B, ...) or a tree
            of such, is collected at each step.

    Raises:
        ValueError: nothing limits the number of steps, or the state is empty.
    """
    num_steps = _num_steps(strategy, max_length)
    if not tree.flatten(state):
        raise ValueError("The state has no tensor, so the batch size is unknown: put a tensor (B, ...) into it.")
    batch_size = ops.shape(tree.flatten(state)[0])[0]
    plan = tree.map_structure(ops.convert_to_tensor, strategy.plan(batch_size, num_steps))
    advance = _Advance(step, strategy, history)
    # The first step runs before the loop, which needs the shapes and types of its results.
    first = advance.first(state, batch_size, _at(plan, 0))
    run = _run_to_the_end if strategy.num_steps is None else _run_all_steps
    last, records = run(advance, first, plan, num_steps)
    outputs, ids, collected = tree.map_structure(lambda x: ops.moveaxis(x, 0, 1), records)
    return Decoded(outputs, _or_none(ids), last.lengths, last.finished, last.state, _or_none(collected))


class _Record(NamedTuple):
    """The kept values of each step, (B, ...) in the loop and (L, B, ...) after it; () if there are none."""

    outputs: Any
    ids: Any
    history: Any


class _Carry(NamedTuple):
    """The values that a step passes to the next one."""

    state: Any
    finished: Any  # bool (B,)
    lengths: Any  # int32 (B,)
    record: _Record


class _Advance:
    """One iteration of the loop: inputs from the strategy, the step, ids from the strategy; ended rows stay frozen."""

    def __init__(self, step, strategy, history) -> None:
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

    def _take_step(self, inputs, carry, planned) -> _Carry:
        outputs, state = self.step(inputs, carry.state)
        ids = self.strategy.sample(outputs, planned)
        ends = self.strategy.ends(outputs, ids, planned)
        record = _Record(outputs, () if ids is None else ids, () if self.history is None else self.history(state))
        lengths = carry.lengths + ops.cast(ops.logical_not(carry.finished), "int32")
        if ends is None:  # rows never end, so that nothing must be frozen
            return _Carry(state, carry.finished, lengths, record)
        state = _where(carry.finished, carry.state, state)
        finished = ops.logical_or(carry.finished, ends)
        return _Carry(state, finished, lengths, self.blank(carry.finished, record))

    def blank(self, rows, record: _Record) -> _Record:
        """The record with zeros, and pad ids, in the rows (bool, (B,)) that have ended before."""
        zeros = tree.map_structure(ops.zeros_like, record)
        pads = tree.map_structure(lambda ids: ids + self.strategy.pad_id, zeros.ids)
        return _where(rows, zeros._replace(ids=pads), record)


def _run_to_the_end(advance: _Advance, first: _Carry, plan, num_steps) -> tuple[_Carry, _Record]:
    """The last carry and all records, from a loop that stops when all rows have ended. It has no gradient on JAX."""
    blank = advance.blank(ops.ones_like(first.finished), first.record)
    buffers = buffers_for(blank, num_steps)

    def body(time, carry, buffers) -> tuple[Any, ...]:
        carry = advance(carry, _at(plan, time))
        return time + 1, carry, write_step(buffers, time, carry.record)

    def go_on(time, carry, buffers) -> Any:
        return ops.logical_and(time < num_steps, ops.logical_not(ops.all(carry.finished)))

    start = (ops.convert_to_tensor(1, "int32"), first, write_step(buffers, 0, first.record))
    _, last, records = ops.while_loop(go_on, body, start)
    return last, records


def _run_all_steps(advance: _Advance, first: _Carry, plan, num_steps) -> tuple[_Carry, _Record]:
    """The last carry and all records, from a scan over a fixed number of steps, through which gradients flow."""
    # At least one step for the scan, since TensorFlow can't stack none; an extra step is cut off below.
    end = max(num_steps, 2) if isinstance(num_steps, int) else ops.maximum(num_steps, 2)
    times = ops.minimum(ops.arange(1, end, dtype="int32"), num_steps - 1)

    # The scan slices a plan of one tensor, which has a cheaper gradient; for several, TensorFlow needs a known length.
    cut = len(tree.flatten(plan)) == 1
    steps = tree.map_structure(lambda x: ops.take(x, times, axis=0), plan) if cut else times

    def body(carry, this) -> tuple[Any, ...]:
        carry = advance(carry, this if cut else _at(plan, this))
        return carry, carry  # Keras requires that stacked and carried values have the same structure

    _, carries = ops.scan(body, first, steps)
    carries = tree.map_structure(lambda x, xs: ops.concatenate([x[None], xs])[:num_steps], first, carries)
    return _at(carries, -1), carries.record


def _num_steps(strategy: Strategy, max_length) -> Any:
    """The length of the loop: that of the strategy or ``max_length``, or the smaller of both."""
    if isinstance(max_length, int) and max_length < 1:
        raise ValueError(f"max_length is {max_length}, but at least one step must be taken.")
    own = strategy.num_steps
    if own is None and max_length is None:
        raise ValueError(f"{type(strategy).__name__} needs a max_length: it doesn't know when to stop.")
    if own is None or max_length is None:
        return max_length if own is None else own
    known = isinstance(own, int) and isinstance(max_length, int)
    return min(own, max_length) if known else ops.minimum(own, max_length)


def _at(steps, time) -> Any:
    """The slice of one time step: (L, B, ...) -> (B, ...)"""
    return tree.map_structure(lambda x: x[time], steps)


def buffers_for(record, num_steps) -> Any:
    """Buffers (L, B, ...), a tree like the record, with the record (B, ...) at every time step."""
    return tree.map_structure(lambda x: ops.broadcast_to(x[None], (num_steps, *ops.shape(x))), record)


def write_step(buffers, time, record) -> Any:
    """The buffers (L, B, ...) with the record (B, ...) written at one time step."""
    index = ops.reshape(ops.convert_to_tensor(time, "int32"), (1, 1))
    return tree.map_structure(lambda xs, x: ops.scatter_update(xs, index, x[None]), buffers, record)


def _where(rows, chosen, other) -> Any:
    """A tree with the rows of ``chosen`` where ``rows`` (B,) is true, and those of ``other`` elsewhere."""

    def choose(x, y) -> Any:
        return ops.where(ops.reshape(rows, (-1, *[1] * (len(y.shape) - 1))), x, y)

    return tree.map_structure(choose, chosen, other)


def _or_none(value) -> Any:
    return None if isinstance(value, tuple) and not value else value
