"""What the transcripts of a page's words tell together: how sure they are, and how much of them is certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocr_models.records import Transcript, Word

# Chosen, in the network's own confidences, on the evaluation pages of ``docs/model_card.md``.
SURE = 0.75


def certain_characters(transcript: Transcript) -> int:
    """The characters of a word that was read with confidence; 0 for marks, dots and single characters."""
    text = transcript.text
    is_certain = own_confidence(transcript) >= SURE and len(text) > 1 and any(map(str.isalnum, text))
    return len(text) if is_certain else 0


def mean_confidence(items: Sequence[Transcript | Word]) -> float:
    return _mean_over_chars([(item.confidence, len(item.text)) for item in items])


def surer(first: Transcript, second: Transcript) -> Transcript:
    """The more confident of two readings of a word, with the mean of their confidences."""
    return replace(
        max(first, second, key=own_confidence),
        confidence=(first.confidence + second.confidence) / 2,
        network_confidence=(own_confidence(first) + own_confidence(second)) / 2,
    )


def network_confidence(transcripts: Sequence[Transcript]) -> float:
    """The mean of the network's own confidences, to which thresholds apply whatever the temperature."""
    return _mean_over_chars([(own_confidence(t), len(t.text)) for t in transcripts])


def _mean_over_chars(confidences: Sequence[tuple[float, int]]) -> float:
    """The mean of confidences weighted by the lengths of the words; 0 if nothing was read."""
    chars = sum(length for _, length in confidences)
    return sum(confidence * length for confidence, length in confidences) / chars if chars else 0.0


def own_confidence(transcript: Transcript) -> float:
    own = transcript.network_confidence
    return transcript.confidence if own is None else own
