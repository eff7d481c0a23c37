"""Beam search against exhaustive search, and against the same rules written with Python lists."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops, tree

from ocr_models.decoding.beam_search import beam_search, repeat_for_beams
from ocr_models.decoding.decode import decode
from ocr_models.decoding.strategies import Greedy, TeacherForcing
from tests.decoding.scripted import (
    chain_step,
    counted,
    log_softmax,
    random_logits,
    script_state,
    scripted_step,
    uncompiled,
)
from tests.decoding.stepping import compiled

START, END = 0, 1
NEVER = -math.inf


def search(logits, beam_width, max_length, **options):
    """Beam search in the chain of each row, logits (B, L, V, V) or for all times (B, 1, V, V), from the start id."""
    return beam_search(chain_step(logits), script_state(len(logits)), beam_width, START, END, max_length, **options)


def hypotheses(beams, row):
    """The row's results as (ids, log_prob, finished), without the empty ones."""
    lengths, log_probs, finished = (
        np.asarray(x[row]).tolist() for x in (beams.lengths, beams.log_probs, beams.finished)
    )
    ids = [tuple(places[:length]) for places, length in zip(np.asarray(beams.ids[row]).tolist(), lengths, strict=True)]
    return [found for found, length in zip(zip(ids, log_probs, finished, strict=True), lengths, strict=True) if length]


def exhaustive(logits, max_length, length_normalization):
    """All sequences that end within the length, as (score, ids), the best first."""
    log_probs = log_softmax(logits)
    others = [i for i in range(logits.shape[-1]) if i != END]
    words = itertools.chain.from_iterable(itertools.product(others, repeat=n) for n in range(max_length))
    scored = []
    for ids in ((*word, END) for word in words):
        log_prob = sum(
            log_probs[t, before, after] for t, (before, after) in enumerate(itertools.pairwise((START, *ids)))
        )
        scored.append((log_prob / len(ids) ** length_normalization, ids))
    return sorted(scored, reverse=True)


def plain_beam_search(logits, beam_width, max_length, length_normalization):
    """The documented rules, for one row, without ever ending early: (score, ids, finished), the best first."""
    log_probs = log_softmax(logits)
    alive, kept = [(0.0, (START,))], []
    for time in range(max_length):
        proposals = []
        for log_prob, ids in alive:
            after = log_probs[time, ids[-1]]
            likeliest = np.argsort(-after, kind="stable")[:beam_width].tolist()
            proposals += [(log_prob + after[i], (*ids, i)) for i in likeliest]
        kept += [(p / (time + 1) ** length_normalization, ids[1:], True) for p, ids in proposals if ids[-1] == END]
        alive = sorted((p for p in proposals if p[1][-1] != END), key=lambda p: -p[0])[:beam_width]
    kept.sort(key=lambda hypothesis: -hypothesis[0])
    unfinished = [(p / max_length**length_normalization, ids[1:], False) for p, ids in alive]
    return (kept[:beam_width] + unfinished)[:beam_width]


@pytest.mark.parametrize(("max_length", "length_normalization"), [(1, 1.0), (3, 2.0), (4, 0.0), (4, 0.7)])
def test_wide_beam_finds_what_exhaustive_search_finds(max_length, length_normalization):
    logits = random_logits(0, 40, max_length, 4, 4)
    # At most 1 + 3 + 9 + 27 = 40 sequences end, and there are 27 prefixes to extend.
    beams = search(logits, 27, max_length, length_normalization=length_normalization, num_results=3)
    for row in range(40):
        best = exhaustive(logits[row], max_length, length_normalization)[:3]
        assert [ids for ids, _, finished in hypotheses(beams, row) if finished] == [ids for _, ids in best]
        np.testing.assert_allclose(beams.scores[row, : len(best)], [score for score, _ in best], rtol=1e-4)


@pytest.mark.parametrize(
    ("beam_width", "max_length", "length_normalization"), [(2, 7, 0.7), (3, 4, 0.0), (4, 5, 2.0), (5, 6, 1.0)]
)
def test_any_beam_finds_what_its_rules_say(beam_width, max_length, length_normalization):
    logits = random_logits(1, 40, max_length, 5, 5)
    beams = search(logits, beam_width, max_length, length_normalization=length_normalization)
    for row in range(40):
        expected = plain_beam_search(logits[row], beam_width, max_length, length_normalization)
        assert [(ids, finished) for ids, _, finished in hypotheses(beams, row)] == [h[1:] for h in expected]
        np.testing.assert_allclose(beams.scores[row, : len(expected)], [h[0] for h in expected], rtol=1e-4)


@pytest.mark.parametrize("length_normalization", [0.0, 0.7])
def test_width_1_is_greedy(length_normalization):
    step, start = chain_step(random_logits(2, 60, 7, 5, 5)), script_state(60)
    beams = beam_search(step, start, 1, START, END, 7, length_normalization, history=lambda state: state.fed, pad_id=3)
    greedy = decode(step, start, Greedy(START, END, pad_id=3), 7, history=lambda state: state.fed)
    assert len(set(np.asarray(greedy.lengths))) > 4
    assert not np.all(greedy.finished)
    np.testing.assert_array_equal(beams.ids[:, 0], greedy.ids)
    np.testing.assert_array_equal(beams.lengths[:, 0], greedy.lengths)
    np.testing.assert_array_equal(beams.finished[:, 0], greedy.finished)
    np.testing.assert_array_equal(beams.history, greedy.history)


# Ids: 0 start, 1 end, 2 "a", 3 "b". Greedy takes a (0.5), then a again (0.4) and the end (0.9): 0.5 * 0.4 * 0.9 = 0.18.
# But b (0.4) ends at once with 0.9: 0.4 * 0.9 = 0.36.
AFTER_START, AFTER_END, AFTER_A, AFTER_B = (
    [0.05, 0.05, 0.5, 0.4],
    [0.25, 0.25, 0.25, 0.25],
    [0.05, 0.2, 0.4, 0.35],
    [0.02, 0.9, 0.05, 0.03],
)
TRAP = np.log([[[AFTER_START, AFTER_END, AFTER_A, AFTER_B]]])  # (1, 1, 4, 4)


def test_beam_wins_where_greedy_loses():
    assert hypotheses(search(TRAP, 1, 4), 0)[0][0] == (2, 2, 2, 2)  # a is likeliest again and again
    ids, log_prob, finished = hypotheses(search(TRAP, 2, 4), 0)[0]
    assert (ids, finished) == ((3, END), True)
    np.testing.assert_allclose(math.exp(log_prob), 0.4 * 0.9, rtol=1e-5)


def test_n_best_by_hand():
    """Both backends give these."""
    beams = search(TRAP, 3, 3)
    # b: 0.4 * 0.9; a b: 0.5 * 0.35 * 0.9; a: 0.5 * 0.2. Next would be a a: 0.5 * 0.4 * 0.2.
    assert [ids for ids, _, _ in hypotheses(beams, 0)] == [(3, END), (2, 3, END), (2, END)]
    np.testing.assert_allclose(np.exp(beams.log_probs[0]), [0.36, 0.1575, 0.1], rtol=1e-5)
    np.testing.assert_allclose(
        np.exp(beams.token_log_probs[0]), [[0.4, 0.9, 1], [0.5, 0.35, 0.9], [0.5, 0.2, 1]], rtol=1e-5
    )
    # By the mean log probability: ln(0.36) / 2 = -0.511, ln(0.1575) / 3 = -0.616, and a a b with
    # ln(0.5 * 0.4 * 0.35 * 0.9) / 4 = -0.691 passes a with ln(0.1) / 2 = -1.151.
    beams = search(TRAP, 3, 4, length_normalization=1.0)
    assert [ids for ids, _, _ in hypotheses(beams, 0)] == [(3, END), (2, 3, END), (2, 2, 3, END)]
    np.testing.assert_allclose(beams.scores[0], [-0.5108, -0.6161, -0.6912], atol=1e-4)


def test_of_equal_scores_the_shorter_then_the_lower_id_comes_first():
    beams = search(np.zeros((1, 1, 4, 4)), 4, 3)
    # Each id has the probability 1/4. The end comes first; then 0, 2 and 3 with an end, in their order.
    assert [ids for ids, _, _ in hypotheses(beams, 0)] == [(END,), (0, END), (2, END), (3, END)]
    # With the mean log probability all are equal, and so the first four to end stay.
    beams = search(np.zeros((1, 1, 4, 4)), 4, 3, length_normalization=1.0)
    assert [ids for ids, _, _ in hypotheses(beams, 0)] == [(END,), (0, END), (2, END), (3, END)]
    # The end isn't among the two likeliest ids of any, so nothing ever ends.
    logits = np.zeros((1, 1, 4, 4))
    logits[..., END] = -1
    beams = search(logits, 2, 3)
    assert [(ids, finished) for ids, _, finished in hypotheses(beams, 0)] == [((0, 0, 0), False), ((0, 0, 2), False)]


def test_unfinished_come_after_finished_and_are_marked():
    # The end has 0.1 at once, and is never again among the two likeliest; "a" goes on with 0.9.
    after_start, after_other = [0.01, 0.1, 0.85, 0.04], [0.004, 0.006, 0.9, 0.09]
    beams = search(np.log([[[after_start, after_other, after_other, after_other]]]), 2, 4)
    assert [(ids, finished) for ids, _, finished in hypotheses(beams, 0)] == [((END,), True), ((2, 2, 2, 2), False)]
    np.testing.assert_allclose(np.exp(beams.log_probs[0]), [0.1, 0.85 * 0.9**3], rtol=1e-5)


def test_empty_places_are_marked():
    # After the start only the end and "a" are possible, after "a" only the end: two sequences in all.
    logits = np.array([[NEVER, 0.0, 0.0], [0.0, 0.0, 0.0], [NEVER, 0.0, NEVER]])
    beams = search(logits[None, None], 3, 4, pad_id=7, history=lambda state: state.fed)
    assert [ids for ids, _, _ in hypotheses(beams, 0)] == [(END,), (2, END)]
    np.testing.assert_array_equal(beams.ids[0], [[END, 7, 7, 7], [2, END, 7, 7], [7, 7, 7, 7]])
    np.testing.assert_array_equal(beams.lengths[0], [1, 2, 0])
    np.testing.assert_array_equal(beams.finished[0], [True, True, False])
    np.testing.assert_array_equal(beams.log_probs[0, 2], NEVER)
    np.testing.assert_array_equal(beams.token_log_probs[0, 2], [0] * 4)


def test_search_ends_when_nothing_better_can_come():
    def steps(logits, beam_width, **options):
        step, calls = counted(scripted_step(logits))
        with uncompiled():
            beam_search(step, script_state(1), beam_width, START, END, len(logits[0]), **options)
        return len(calls)

    # The end has 0.6 at the first step; all that go on share 0.4, and so the best result is known.
    sure = np.log([[[0.2, 0.6, 0.2]] * 9])
    assert steps(sure, 2, num_results=1) == 1
    # The second best is the end after an id, 0.2 * 0.6 = 0.12, but two ids could go on with 0.2 * 0.2 = 0.04 only.
    assert steps(sure, 2) == 2
    # By the mean log probability, 0.2 * 0.2 could still become ln(0.04) / 9 = -0.36 > ln(0.6) = -0.51; with three ids
    # the bound is ln(0.008) / 9 = -0.54.
    assert steps(sure, 2, num_results=1, length_normalization=1.0) == 3
    # An end that is never among the likeliest: all steps.
    assert steps(np.log([[[0.5, 0.1, 0.4]] * 9]), 2) == 9


def test_rows_do_not_depend_on_each_other():
    logits = random_logits(3, 6, 8, 5, 5)
    together = search(logits, 3, 8, length_normalization=0.7, history=lambda state: state.fed)
    for row in (0, 4):
        alone = search(logits[row : row + 1], 3, 8, length_normalization=0.7, history=lambda state: state.fed)
        for name, values in zip(together._fields, together, strict=True):
            np.testing.assert_allclose(values[row], getattr(alone, name)[0], rtol=1e-5, err_msg=name)


def test_history_is_that_of_the_winner():
    logits = random_logits(4, 20, 8, 6, 6)
    beams = search(logits, 4, 8, history=lambda state: {"fed": state.fed, "steps": (state.time,)})
    ids, lengths = np.asarray(beams.ids[:, 0]), np.asarray(beams.lengths[:, 0])
    assert len(set(lengths)) > 2
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(beams.history["fed"][row, :length], [START, *ids[row, : length - 1]])
        np.testing.assert_array_equal(beams.history["steps"][0][row, :length], np.arange(1, length + 1))
        assert not np.any(beams.history["fed"][row, length:])


def test_token_log_probs_add_up():
    beams = search(random_logits(5, 4, 6, 5, 5), 3, 6)
    np.testing.assert_allclose(np.sum(beams.token_log_probs, axis=-1), beams.log_probs, rtol=1e-5)


def test_states_follow_their_hypotheses():
    """The log probability that a GRU gives while searching is the one that it gives when it is told the result."""
    keras.utils.set_random_seed(2)
    embedding, cell, dense = keras.layers.Embedding(6, 4), keras.layers.GRUCell(5), keras.layers.Dense(6)
    embedding.build((None,))
    cell.build((None, 4))
    dense.build((None, 5))
    memory = random_logits(6, 3, 5)

    def step_with(memory):
        def step(ids, state):
            hidden, (state,) = cell(embedding(ids), [state])
            return 5 * dense(hidden + memory), state

        return step

    start = random_logits(7, 3, 5)
    beams = beam_search(step_with(repeat_for_beams(memory, 4)), start, 4, START, END, 7)
    ids, lengths = np.asarray(beams.ids), np.asarray(beams.lengths)
    for n in range(4):
        fed = np.concatenate([np.full((3, 1), START), ids[:, n, :-1]], axis=1)
        logits = decode(step_with(memory), start, TeacherForcing(fed)).outputs
        log_probs = np.take_along_axis(log_softmax(logits), ids[:, n, :, None], axis=-1)[..., 0]
        expected = np.where(np.arange(7) < lengths[:, n, None], log_probs, 0)
        np.testing.assert_allclose(beams.token_log_probs[:, n], expected, atol=1e-4)


def test_compiled_search_gives_the_same():
    logits = random_logits(8, 3, 6, 5, 5)

    def run(state):
        return beam_search(
            chain_step(logits), state, 3, START, END, 6, length_normalization=0.5, history=lambda state: state.fed
        )

    start = tree.map_structure(ops.convert_to_tensor, script_state(3))
    for result, expected in zip(compiled(run)(start), run(start), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has shapes unknown at trace time")
def test_unknown_batch_and_max_length():
    import tensorflow as tf

    logits = random_logits(9, 4, 6, 5, 5)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)])
    def run(rows, max_length):
        state = script_state(1)._replace(row=rows, time=tf.zeros_like(rows), fed=tf.zeros_like(rows))
        return beam_search(chain_step(logits), state, 3, START, END, max_length, history=lambda state: state.fed)

    for count, max_length in [(4, 6), (2, 1)]:
        expected = search(logits[:count], 3, max_length, history=lambda state: state.fed)
        for result, value in zip(run(tf.range(count), max_length), expected, strict=True):
            np.testing.assert_allclose(result, value, rtol=1e-5)


def test_log_probs_are_float32():
    def step(ids, state):
        logits, state = chain_step(random_logits(10, 1, 4, 5, 5))(ids, state)
        return ops.cast(logits, "bfloat16"), state

    beams = beam_search(step, script_state(1), 2, START, END, 4)
    for values in (beams.log_probs, beams.scores, beams.token_log_probs):
        assert keras.backend.standardize_dtype(values.dtype) == "float32"


def test_repeat_for_beams():
    repeated = repeat_for_beams({"memory": np.array([[1, 2], [3, 4]])}, 3)
    np.testing.assert_array_equal(repeated["memory"], [[1, 2]] * 3 + [[3, 4]] * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_width": 0}, r"beam_width \(0\)"),
        ({"max_length": 0}, r"max_length \(0\)"),
        ({"length_normalization": -0.5}, "length_normalization is -0.5"),
        ({"num_results": 3}, "num_results is 3, but must be from 1 to the beam_width, 2"),
        ({"num_results": 0}, "num_results is 0"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        search(TRAP, **{"beam_width": 2, "max_length": 3, **options})
