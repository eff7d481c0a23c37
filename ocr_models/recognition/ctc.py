"""Two decoders of connectionist temporal classification (Graves et al. 2006), in NumPy. Class 0 is the blank."""

from __future__ import annotations

import numpy as np

from ocr_models.charset import BLANK_ID


def greedy_decode(logits: np.ndarray, logit_lengths: np.ndarray) -> list[tuple[list[int], list[float], list[int]]]:
    """Decodes the best paths of a batch: the likeliest class of each step, repeats merged, blanks dropped.

    Args:
        logits: float (B, T, C), unnormalized.
        logit_lengths: int (B,), time steps that belong to the crop and not to its padding.

    Returns:
        For each crop: its class numbers; the confidence of each, which is its highest probability among its steps; and
        the first step of each.
    """
    best = logits.argmax(axis=2)
    best[np.arange(best.shape[1]) >= logit_lengths[:, None]] = BLANK_ID
    begins = np.diff(best, axis=1, prepend=BLANK_ID) != 0
    crops, steps = np.nonzero(best != BLANK_ID)  # most steps are blank and need no softmax
    classes = best[crops, steps]
    of_step = logits[crops, steps].astype(np.float32, copy=False)
    of_step -= logits[crops, steps, classes].astype(np.float32)[:, None]
    peaks = 1 / np.exp(of_step, out=of_step).sum(axis=1)
    first = np.flatnonzero(begins[crops, steps])
    ids, places = classes[first].tolist(), steps[first].tolist()
    confidences = np.maximum.reduceat(peaks, first).tolist()
    stops = np.cumsum(np.bincount(crops[first], minlength=len(logits))).tolist()
    ranges = [slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]
    return [(ids[crop], confidences[crop], places[crop]) for crop in ranges]


def prefix_beam_decode(log_probs: np.ndarray, beam_width: int, candidates: int = 16) -> tuple[list[int], float]:
    """Finds the likeliest label sequence, where each is summed over all its paths (Graves 2012; Hannun et al. 2014).

    Args:
        log_probs: float (T, C), normalized.
        beam_width: prefixes kept after each step; at least 1.
        candidates: number of likeliest classes of a step that may extend a prefix.

    Returns:
        Class numbers and the log probability of the sequence.
    """
    # For each prefix: the log probabilities of its paths that end in the blank, and of those that end in its last one.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    for step in log_probs:
        extended: dict[tuple[int, ...], tuple[float, float]] = {}
        classes = [c for c in np.argsort(-step)[: candidates + 1].tolist() if c != BLANK_ID]

        def add(prefix, blank, char, extended=extended) -> None:
            old_blank, old_char = extended.get(prefix, (-np.inf, -np.inf))
            extended[prefix] = (np.logaddexp(old_blank, blank), np.logaddexp(old_char, char))

        for prefix, (blank, char) in beams.items():
            total = np.logaddexp(blank, char)
            add(prefix, total + step[BLANK_ID], -np.inf)
            if prefix:
                add(prefix, -np.inf, char + step[prefix[-1]])
            for c in classes:
                # A repeated character is a new one only after a blank.
                add((*prefix, c), -np.inf, (blank if prefix and c == prefix[-1] else total) + step[c])
        ranked = sorted(extended.items(), key=lambda item: -np.logaddexp(*item[1]))
        beams = dict(ranked[:beam_width])
    prefix, (blank, char) = next(iter(beams.items()))
    return list(prefix), float(np.logaddexp(blank, char))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Normalized log probabilities along the last axis, in float32."""
    logits = logits.astype(np.float32)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
