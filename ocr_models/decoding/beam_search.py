"""Beam search with a model's step function, for a whole batch in one compiled loop.

The rules are those of Show and Tell (Vinyals et al. 2015, arXiv 1411.4555, and its im2txt code). Each unfinished
hypothesis proposes its ``beam_width`` likeliest next ids. Proposals of the end id are finished; the ``num_results``
best of them are kept separately. The ``beam_width`` best of the other proposals continue. Finished and unfinished
hypotheses therefore never compete, and a width of 1 is greedy. Finished hypotheses are ranked by log_prob / length **
length_normalization, where the length counts the ids with the end (im2txt counts the start, too).

Among equal scores, the hypothesis that ended earlier comes first, then the one with the better parent, then the lower
id.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from keras import ops, tree

from ocr_models.decoding.decode import buffers_for, write_step

_NEVER = -math.inf  # the log probability of a place in the beam that no hypothesis fills


class Beams(NamedTuple):
    """The n-best hypotheses of each row, the best first. N is ``num_results``, L is ``max_length``.

    If fewer than N hypotheses are finished, ones that were cut off at L follow them. Places that are still empty have
    length 0 and log probability -inf.

    Attributes:
        ids: int32 (B, N, L), with the end id, and ``pad_id`` after it.
        log_probs: float32 (B, N), of whole hypotheses.
        scores: float32 (B, N), log_probs / lengths ** length_normalization.
        lengths: int32 (B, N), numbers of ids, with the end.
        finished: bool (B, N), whether the hypothesis has the end id.
        token_log_probs: float32 (B, N, L), of each id given the ids before it; 0 after the end.
        history: (B, L, ...) or a tree of such, collected from the states of the first result, 0 after its end; None if
            not requested.
    """

    ids: Any
    log_probs: Any
    scores: Any
    lengths: Any
    finished: Any
    token_log_probs: Any
    history: Any


def beam_search(
    step,
    state,
    beam_width: int,
    start_id: int,
    end_id: int,
    max_length: int,
    length_normalization: float = 0.0,
    num_results: int | None = None,
    history=None,
    pad_id: int = 0,
) -> Beams:
    """Searches for the likeliest sequences of ids.

    Args:
        step: ``step(token_ids, state) -> (logits, state)`` for B * beam_width rows: token_ids (B * beam_width,),
            logits (B * beam_width, V). Tensors in its closure must have as many rows, too: see ``repeat_for_beams``.
            Its layers must be built.
        state: a tree of tensors (B, ...); the search repeats it.
        beam_width: number of unfinished hypotheses that are followed, at least 1.
        start_id: the input of the first step.
        end_id: the id that finishes a hypothesis.
        max_length: int or (on TensorFlow) scalar tensor, the largest number of ids, with the end.
        length_normalization: 0 ranks by probability, which favors short sequences; 1 by the mean log probability.
        num_results: number of hypotheses returned, from 1 to ``beam_width``, which is the default. With fewer, the
            search may end earlier: it ends when no unfinished hypothesis can become a result.
        history: a function of the state, such as ``lambda state: state.alignments``, whose values along the first
            result are collected.
        pad_id: the id after the end.

    Raises:
        ValueError: a number is out of range.
    """
    num_results = beam_width if num_results is None else num_results
    _check(beam_width, max_length, length_normalization, num_results)
    search = _Search(step, history, beam_width, end_id, max_length, length_normalization, num_results)
    state = repeat_for_beams(state, beam_width)
    rows = ops.shape(tree.flatten(state)[0])[0]  # B * beam_width
    batch_size = rows // beam_width
    inputs = ops.full((rows,), start_id, dtype="int32")
    alive = _nothing(batch_size, beam_width, max_length, pad_id)
    first = ops.arange(beam_width) == 0  # the hypotheses start as one
    alive = alive._replace(log_probs=ops.where(first, 0.0, alive.log_probs))
    kept = _nothing(batch_size, num_results, max_length, pad_id)
    seen = () if history is None else buffers_for(tree.map_structure(ops.zeros_like, history(state)), max_length)
    start = (ops.convert_to_tensor(0, "int32"), inputs, state, alive, kept, seen)
    _, _, _, alive, kept, seen = ops.while_loop(search.goes_on, search.advance, start)
    return _results(search.score(alive, max_length), kept, seen, pad_id)


def repeat_for_beams(values, beam_width: int) -> Any:
    """Repeats each row of a tree of tensors (B, ...) for each hypothesis: (B * beam_width, ...)."""
    return tree.map_structure(lambda x: ops.repeat(x, beam_width, axis=0), values)


class _Hypotheses(NamedTuple):
    """K hypotheses for each row; those with log probability -inf are empty places."""

    log_probs: Any  # (B, K)
    scores: Any  # (B, K)
    lengths: Any  # (B, K)
    ids: Any  # (B, K, L)
    token_log_probs: Any  # (B, K, L)
    parents: Any  # (B, K, L): at each step, the place in the beam of the hypothesis that was extended


class _Proposals(NamedTuple):
    """Possible next ids, P for each hypothesis: (B, beam_width * P)."""

    log_probs: Any  # of the extended hypothesis
    ids: Any
    token_log_probs: Any
    parents: Any


class _Search:
    """The rules of the search, and one iteration of its loop."""

    def __init__(self, step, history, beam_width, end_id, max_length, length_normalization, num_results) -> None:
        self.step = step
        self.history = history
        self.beam_width = beam_width
        self.end_id = end_id
        self.max_length = max_length
        self.length_normalization = length_normalization
        self.num_results = num_results

    def goes_on(self, time, inputs, state, alive, kept, seen) -> Any:
        return ops.logical_and(time < self.max_length, ops.any(alive.log_probs > _NEVER))

    def advance(self, time, inputs, state, alive, kept, seen) -> tuple[Any, ...]:
        logits, new_state = self.step(inputs, state)
        if self.history is not None:
            seen = write_step(seen, time, self.history(new_state))
        proposals = self.propose(alive, logits)
        is_end = proposals.ids == self.end_id
        ended = self.extend(alive, proposals, is_end, time)
        kept = _best([kept, self.score(ended, time + 1)], self.num_results)
        alive = self.extend(alive, proposals, ops.logical_not(is_end), time)
        inputs = ops.reshape(ops.take(alive.ids, time, axis=2), (-1,))
        parents = _flat_index(ops.take(alive.parents, time, axis=2), self.beam_width)
        # The reshape changes nothing, but keeps the static shapes that TensorFlow knows equal in all iterations.
        state = tree.map_structure(
            lambda x, new: ops.reshape(ops.take(new, parents, 0), ops.shape(x)), state, new_state
        )
        return time + 1, inputs, state, self.give_up(alive, kept), kept, seen

    def propose(self, alive: _Hypotheses, logits) -> _Proposals:
        """The likeliest next ids of each hypothesis, the likeliest first."""
        logits = ops.cast(logits, "float32")
        # Written out because TensorFlow may compute a softmax in bfloat16 on a CPU, which is too coarse for ranking.
        log_probs = logits - ops.logsumexp(logits, axis=-1, keepdims=True)
        count = min(self.beam_width, log_probs.shape[-1])
        log_probs, ids = ops.top_k(log_probs, count)  # (B * beam_width, P)
        log_probs = ops.reshape(log_probs, (-1, self.beam_width, count))  # (B, beam_width, P)
        totals = alive.log_probs[:, :, None] + log_probs
        parents = ops.broadcast_to(ops.arange(self.beam_width, dtype="int32")[:, None], ops.shape(totals))
        flat = (-1, self.beam_width * count)
        return _Proposals(*(ops.reshape(x, flat) for x in (totals, ops.cast(ids, "int32"), log_probs, parents)))

    def extend(self, alive: _Hypotheses, proposals: _Proposals, wanted, time) -> _Hypotheses:
        """The ``beam_width`` best of the wanted proposals as hypotheses, the best first."""
        log_probs, chosen = ops.top_k(ops.where(wanted, proposals.log_probs, _NEVER), self.beam_width)
        chosen = tree.map_structure(lambda x: _pick(x, chosen), proposals)
        old = tree.map_structure(lambda x: _pick(x, chosen.parents), alive)
        now = ops.arange(self.max_length) == time

        def at_this_time(new, steps) -> Any:
            return ops.where(now, new[:, :, None], steps)

        return old._replace(
            log_probs=log_probs,
            ids=at_this_time(chosen.ids, old.ids),
            token_log_probs=at_this_time(chosen.token_log_probs, old.token_log_probs),
            parents=at_this_time(chosen.parents, old.parents),
        )

    def score(self, hypotheses: _Hypotheses, length) -> _Hypotheses:
        """The hypotheses, all of the given length, with scores."""
        scores = hypotheses.log_probs / self.normalizer(length)
        return hypotheses._replace(scores=scores, lengths=ops.full_like(hypotheses.lengths, 1) * length)

    def normalizer(self, length) -> Any:
        return ops.cast(length, "float32") ** self.length_normalization

    def give_up(self, alive: _Hypotheses, kept: _Hypotheses) -> _Hypotheses:
        """Removes the unfinished hypotheses of rows whose results can't change anymore.

        Log probabilities only fall, so that the score of a hypothesis is never above that of its current log
        probability at ``max_length``.
        """
        bound = alive.log_probs[:, :1] / self.normalizer(self.max_length)
        settled = bound <= kept.scores[:, -1:]
        return alive._replace(log_probs=ops.where(settled, _NEVER, alive.log_probs))


def _check(beam_width, max_length, length_normalization, num_results) -> None:
    if beam_width < 1 or (isinstance(max_length, int) and max_length < 1):
        raise ValueError(f"beam_width ({beam_width}) and max_length ({max_length}) must be at least 1.")
    if length_normalization < 0:
        raise ValueError(f"length_normalization is {length_normalization}, but must be 0 or more.")
    if not 1 <= num_results <= beam_width:
        raise ValueError(f"num_results is {num_results}, but must be from 1 to the beam_width, {beam_width}.")


def _nothing(batch_size, count, max_length, pad_id) -> _Hypotheses:
    """Hypotheses that are all empty places."""
    never = ops.full((batch_size, count), _NEVER, dtype="float32")
    zeros = ops.zeros((batch_size, count, max_length), dtype="int32")
    return _Hypotheses(
        log_probs=never,
        scores=never,
        lengths=ops.zeros((batch_size, count), dtype="int32"),
        ids=zeros + pad_id,
        token_log_probs=ops.cast(zeros, "float32"),
        parents=zeros,
    )


def _best(groups: list[_Hypotheses], count) -> _Hypotheses:
    """The hypotheses with the highest scores; among equal scores, the first ones."""
    together = _join(groups)
    _, order = ops.top_k(together.scores, count)
    return tree.map_structure(lambda x: _pick(x, order), together)


def _results(unfinished: _Hypotheses, kept: _Hypotheses, seen, pad_id) -> Beams:
    """The kept hypotheses, then the unfinished ones, then empty places."""
    count, places = kept.scores.shape[1], kept.scores.shape[1] + unfinished.scores.shape[1]
    together = _join([kept, unfinished])  # (B, places), each of the two in the order of scores
    place = ops.arange(places, dtype="int32")
    is_empty = together.log_probs == _NEVER
    order = ops.argsort(place + ops.where(is_empty, places, 0), axis=-1)[:, :count]
    best = tree.map_structure(lambda x: _pick(x, order), together)
    is_empty = _pick(is_empty, order)
    lengths = ops.where(is_empty, 0, best.lengths)
    after = ops.arange(ops.shape(best.ids)[2]) >= lengths[:, :, None]  # (B, N, L)
    return Beams(
        ids=ops.where(after, pad_id, best.ids),
        log_probs=best.log_probs,
        scores=best.scores,
        lengths=lengths,
        finished=ops.logical_and(order < count, ops.logical_not(is_empty)),
        token_log_probs=ops.where(after, 0.0, best.token_log_probs),
        history=_follow(seen, best.parents[:, 0], after[:, 0], unfinished.scores.shape[1]),
    )


def _follow(seen, parents, after, beam_width) -> Any:
    """From the history (L, B * beam_width, ...) of all places of the beam, that of one hypothesis: (B, L, ...)."""
    if isinstance(seen, tuple) and not seen:
        return None
    length = ops.shape(parents)[1]
    rows = ops.reshape(_flat_index(parents, beam_width), (-1, length))  # (B, L)

    def follow(xs) -> Any:
        shape = ops.shape(xs)
        steps = ops.arange(length, dtype="int32") * shape[1]
        chosen = ops.take(ops.reshape(xs, (-1, *shape[2:])), rows + steps, axis=0)
        ended = ops.reshape(after, (-1, length, *[1] * (len(shape) - 2)))
        return ops.where(ended, ops.zeros_like(chosen), chosen)

    return tree.map_structure(follow, seen)


def _join(groups: list[_Hypotheses]) -> _Hypotheses:
    return tree.map_structure(lambda *xs: ops.concatenate(xs, axis=1), *groups)


def _pick(x, places) -> Any:
    """Values at some places of each row: (B, K, ...), (B, M) -> (B, M, ...)"""
    index = _flat_index(places, x.shape[1])
    rest = ops.shape(x)[2:]
    return ops.reshape(ops.take(ops.reshape(x, (-1, *rest)), index, axis=0), (-1, places.shape[1], *rest))


def _flat_index(places, count) -> Any:
    """Indices (B * M,) into all rows, from places (B, M) among ``count`` in each row."""
    starts = ops.arange(ops.shape(places)[0], dtype="int32") * count
    return ops.reshape(ops.cast(places, "int32") + starts[:, None], (-1,))
