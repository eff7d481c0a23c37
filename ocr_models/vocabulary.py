"""Words of captions: from raw text to ids and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ocr_models.errors import UsageError

START, END, UNKNOWN = "<S>", "</S>", "<UNK>"
_SPECIAL = (START, END, UNKNOWN)
_TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
_SPACE_BEFORE_PUNCTUATION = re.compile(r" ([.,!?;:)])")


def tokenize(caption: str) -> tuple[str, ...]:
    """Lower-case words and punctuation marks: "A dog's tri-colored, wet." → a, dog's, tri-colored, ",", wet, "."."""
    return tuple(_TOKEN.findall(caption.lower()))


def join_tokens(tokens: Iterable[str]) -> str:
    """The text of tokens, without spaces before punctuation marks."""
    return _SPACE_BEFORE_PUNCTUATION.sub(r"\1", " ".join(tokens))


def without_punctuation(tokens: Iterable[str]) -> tuple[str, ...]:
    """The tokens that are words, on which BLEU of captions is usually counted."""
    return tuple(token for token in tokens if token[0].isalnum() or token in _SPECIAL)


class Vocabulary:
    """Words with ids from 0 in their order, with ``<S>``, ``</S>`` and ``<UNK>`` first; ``len`` counts them, too.

    Args:
        words: all words, with the special ones.

    Raises:
        UsageError: the special words don't come first, or a word occurs twice.
    """

    start_id, end_id, unk_id = range(3)

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        self._ids = {word: i for i, word in enumerate(self.words)}
        if self.words[: len(_SPECIAL)] != _SPECIAL:
            raise UsageError(f"a vocabulary begins with {self.words[:3]}; expected {_SPECIAL}, one word per line")
        if len(self._ids) != len(self.words):
            raise UsageError(f"vocabulary of {len(self.words)} words has one twice; each must occur once")

    @classmethod
    def build(cls, captions: Iterable[Sequence[str]], min_count: int) -> Vocabulary:
        """The words that occur at least ``min_count`` times in the captions, the most frequent first."""
        counts = Counter(word for caption in captions for word in caption)
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls([*_SPECIAL, *(word for word, count in ranked if count >= min_count)])

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Reads ``vocabulary.txt``: UTF-8, one word per line. Raises UsageError if the file can't be read."""
        try:
            return cls(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{path}: no readable vocabulary ({error}); expected UTF-8 text, one word per line"
            ) from error

    def save(self, path: Path) -> None:
        path.write_text("".join(f"{word}\n" for word in self.words), encoding="utf-8")

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, caption: Sequence[str]) -> list[int]:
        """Ids of a caption between ``<S>`` and ``</S>``; unknown words become ``<UNK>``."""
        return [self.start_id, *(self._ids.get(word, self.unk_id) for word in caption), self.end_id]

    def decode(self, ids: Iterable[int]) -> tuple[str, ...]:
        """The words up to the first ``</S>``, without ``<S>``."""
        words = []
        for i in ids:
            if i == self.end_id:
                break
            if i != self.start_id:
                words.append(self.words[i])
        return tuple(words)
