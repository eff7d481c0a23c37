"""Analyzes why words of a page weren't read exactly: errors of the detector, of the recognizer, or in the truth.

The words that weren't read exactly are those that ``text.PageCounts.bag`` misses; words are compared in the same way.
Each of them, and each surplus word, has one cause, the first that applies in the order of ``Cause``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from rapidfuzz.distance import Levenshtein

from ocr_models.metrics.text import counted_words, plain_text

# Lengths are in heights of the true box.
_CUT = 0.15  # a box that ends more than this inside a word lacks a part of it: a period is 0.2 wide
_REACHES = 0.3  # a box that ends more than this outside a word shows a part of something else
_LEVEL = 0.25  # the top or bottom of a box is wrong if it is off by more
_NO_WHITE = 0.1  # words with a smaller gap aren't separated: in PDFs, a new word begins with every change of font
_SAME_LINE = 0.4  # two boxes on one line overlap by at least this share of the lower one's height
_LONG = 3  # formulas don't have this many letters in a row
_LIGATURES = re.compile("ff|fi|fl|ct|st")
_RULE = re.compile(r"(?P<char>.)(?P=char){2,}|[^a-zA-Z02-9]*[lIi1|oO][^a-zA-Z02-9]*")
# The characters of each group are easily confused in print.
_LOOK_ALIKES = [
    "lI1|!i",
    "O0oQ",
    "S5s$",
    "B8",
    "Z2z",
    "G6",
    "g9q",
    "cC",
    "vV",
    "wW",
    "xX",
    "uU",
    "pP",
    "kK",
    ".,",
    ":;",
]
_LOOK_ALIKE_PAIRS = {"rn": "m", "cl": "d", "vv": "w", "VV": "W", "ri": "n", "nn": "m"}
_FIRST_OF_GROUP = str.maketrans({char: group[0] for group in _LOOK_ALIKES for char in group})


class Cause(StrEnum):
    """Why a true word wasn't read exactly; from ``RULE`` on, why a surplus word was read."""

    CHARSET = "truth: characters that the recognizer doesn't know"
    TORN = "truth: a word split without white space"
    LINE_END = "truth: joined over the end of a line"
    FORMULA = "part of a formula"
    MISSED = "no box"
    SPLIT = "box: split"
    JOINED = "box: joined"
    CUT_LEFT = "box: cut at the left"
    CUT_RIGHT = "box: cut at the right"
    REACHES_OUT = "box: reaches into something else beside it"
    WRONG_HEIGHT = "box: wrong height or off the line"
    DROPPED = "dropped for low confidence"
    CASE = "misread: upper and lower case"
    PUNCTUATION = "misread: punctuation"
    ACCENT = "misread: accents"
    LOOK_ALIKE = "misread: look-alikes"
    LIGATURE = "misread: ligatures"
    DIGIT = "misread: a digit"
    LETTER = "misread: another character"
    SEVERAL = "misread: several characters"
    RULE = "surplus: a rule or leaders"
    DOUBLED = "surplus: a word twice"
    REMAINS = "surplus: in place of a word above"
    NOTHING = "surplus: where the truth has nothing"

    @property
    def is_surplus(self) -> bool:
        return self.startswith("surplus")


@dataclass(frozen=True)
class TrueWord:
    """A word of the truth.

    Attributes:
        text: its text.
        box: (4,), pixels of the leveled page: xmin, ymin, xmax, ymax; None if it isn't known.
        line: the index of its line; a word without a box is searched only there. None if the truth has no lines.
    """

    text: str
    box: np.ndarray | None = None
    line: int | None = None


@dataclass(frozen=True)
class FoundWord:
    """A word that was found on a page.

    Attributes:
        text: the text that was read.
        box: (4,), pixels of the leveled page: xmin, ymin, xmax, ymax.
        confidence: 0 to 1.
        is_kept: False if it was dropped for low confidence.
        line: the index of the true line that it is on; None if the truth has no lines.
    """

    text: str
    box: np.ndarray
    confidence: float = 1.0
    is_kept: bool = True
    line: int | None = None


@dataclass(frozen=True)
class WordError:
    """A true word that wasn't read exactly, or a surplus word.

    Attributes:
        cause: of the error.
        true: the true word, normalized for comparison; "" if there is none.
        read: the texts read in its place, separated by spaces.
        box: (4,), of the true word or else of the found ones; None if neither is known.
        found: the indices of the words found in its place.
        confidence: the least of those; None if there are none.
    """

    cause: Cause
    true: str
    read: str
    box: np.ndarray | None
    found: tuple[int, ...]
    confidence: float | None


@dataclass(frozen=True)
class _Overlaps:
    """The overlaps of N true and M found words.

    Attributes:
        cover: (N, M), the share of each true word that is inside each found one.
        share: (N, M), the share of each found word that is inside each true one.
    """

    cover: np.ndarray
    share: np.ndarray

    def touching(self, true: int) -> list[int]:
        """The found words that cover much of a true one, or mostly consist of it."""
        return np.flatnonzero((self.cover[true] > 0.25) | (self.share[true] > 0.5)).tolist()


def explain_errors(
    true: Sequence[TrueWord],
    found: Sequence[FoundWord],
    casefold: bool = False,
    is_known: Callable[[str], bool] = lambda text: True,
) -> list[WordError]:
    """Finds the causes of all errors of a page.

    Args:
        true: the words of the page in reading order, either all with boxes or all without.
        found: the words found on it, in reading order.
        casefold: whether case is ignored.
        is_known: tells whether the recognizer knows all characters of a text.

    Returns:
        The errors of true words, then the surplus words. Their numbers are those of the unmatched true and read words
        in ``PageCounts.bag``.
    """
    true = [replace(word, text=part) for word in true for part in plain_text(word.text, casefold).split()]
    parts = [(j, part) for j, word in enumerate(found) for part in plain_text(word.text, casefold).split() or [""]]
    found = [replace(found[j], text=part) for j, part in parts]
    overlaps = _overlaps(true, found)
    missed, surplus = _unmatched(true, found, overlaps)
    page = _Page(true, found, overlaps, is_known)
    errors = [page.explain(i) for i in missed]
    errors += [page.explain_surplus(j, errors) for j in surplus]
    return [replace(error, found=tuple(dict.fromkeys(parts[k][0] for k in error.found))) for error in errors]


def _overlaps(true: Sequence[TrueWord], found: Sequence[FoundWord]) -> _Overlaps:
    if all(word.box is not None for word in true):
        return _overlaps_by_box(true, found)
    cover, share = np.zeros((2, len(true), len(found)))
    for line in {word.line for word in true}:
        rows = [i for i, word in enumerate(true) if word.line == line]
        columns = [j for j, word in enumerate(found) if word.line == line]
        shared = _shared_characters([true[i].text for i in rows], [found[j].text for j in columns])
        cover[np.ix_(rows, columns)] = shared / [[max(1, len(true[i].text))] for i in rows]
        share[np.ix_(rows, columns)] = shared / [max(1, len(found[j].text)) for j in columns]
    return _Overlaps(cover, share)


def _overlaps_by_box(true: Sequence[TrueWord], found: Sequence[FoundWord]) -> _Overlaps:
    """The overlaps as shares of the words' widths, if they are on one line."""
    x0, y0, x1, y1 = np.array([word.box for word in true]).reshape(-1, 4).T[..., None]
    found_x0, found_y0, found_x1, found_y1 = np.array([word.box for word in found]).reshape(-1, 4).T
    height = np.minimum(y1, found_y1) - np.maximum(y0, found_y0)
    level = height > _SAME_LINE * np.minimum(y1 - y0, found_y1 - found_y0)
    shared = np.where(level, np.maximum(0, np.minimum(x1, found_x1) - np.maximum(x0, found_x0)), 0)
    return _Overlaps(shared / np.maximum(x1 - x0, 1e-6), shared / np.maximum(found_x1 - found_x0, 1e-6))


def _shared_characters(true: Sequence[str], found: Sequence[str]) -> np.ndarray:
    """The numbers (N, M) of characters of true words read in found ones, by the least edits of the whole text."""
    shared = np.zeros((len(true), len(found)))
    true_of, found_of = ([i for i, text in enumerate(texts) for _ in text] for texts in (true, found))
    for code in Levenshtein.opcodes("".join(true).casefold(), "".join(found).casefold()):
        for k in range(code.src_end - code.src_start) if code.tag in ("equal", "replace") else ():
            t, f = code.src_start + k, code.dest_start + k
            if t < len(true_of) and f < len(found_of):  # casefold turns "ß" into two characters
                shared[true_of[t], found_of[f]] += 1
    return shared


def _unmatched(
    true: Sequence[TrueWord], found: Sequence[FoundWord], overlaps: _Overlaps
) -> tuple[list[int], list[int]]:
    """The indices of counted true words that weren't read, and of counted surplus words."""
    missed = [i for i, word in enumerate(true) if counted_words(word.text)]
    surplus = [j for j, word in enumerate(found) if word.is_kept and counted_words(word.text)]
    for is_near in (lambda i, j: j in overlaps.touching(i), lambda i, j: True):  # first at its place, then anywhere
        free: dict[str, list[int]] = {}
        for j in surplus:
            free.setdefault(found[j].text, []).append(j)
        for i in list(missed):
            same = next((j for j in free.get(true[i].text, ()) if is_near(i, j)), None)
            if same is not None:
                free[true[i].text].remove(same)
                missed.remove(i)
                surplus.remove(same)
    return missed, surplus


@dataclass(frozen=True)
class _Page:
    true: Sequence[TrueWord]
    found: Sequence[FoundWord]
    overlaps: _Overlaps
    is_known: Callable[[str], bool]

    def explain(self, i: int) -> WordError:
        """Explains the error of a true word."""
        touching = self.overlaps.touching(i)
        return WordError(
            self._cause(i, touching),
            self.true[i].text,
            " ".join(self.found[j].text for j in touching),
            self._place(i, touching),
            tuple(touching),
            min((self.found[j].confidence for j in touching), default=None),
        )

    def explain_surplus(self, j: int, errors: Sequence[WordError]) -> WordError:
        """Explains a found word that isn't in the truth."""
        word = self.found[j]
        return WordError(self._surplus_cause(j, errors), "", word.text, word.box, (j,), word.confidence)

    def _cause(self, i: int, touching: list[int]) -> Cause:
        text = self.true[i].text
        if not self.is_known(text) or "(cid:" in text:
            return Cause.CHARSET
        parts = [j for j in self._apart(touching) if self.overlaps.share[i, j] > 0.5]
        best = max(touching, key=lambda j: self.overlaps.cover[i, j], default=None)
        in_best = [] if best is None else np.flatnonzero(self.overlaps.cover[:, best] > 0.5).tolist()
        if len(in_best) > 1 and self._is_torn(i, in_best):
            return Cause.TORN
        if len(parts) > 1 and self._ends_line(parts):
            return Cause.LINE_END
        if self._is_formula(i):
            return Cause.FORMULA
        if best is None:
            return Cause.MISSED
        if len(parts) > 1:
            return Cause.SPLIT
        if len(in_best) > 1:
            return Cause.JOINED
        fault = self._box_fault(i, best)
        if fault:
            return fault
        return misreading(text, self.found[best].text) if self.found[best].is_kept else Cause.DROPPED

    def _surplus_cause(self, j: int, errors: Sequence[WordError]) -> Cause:
        if _RULE.fullmatch(self.found[j].text):
            return Cause.RULE
        if any(j in error.found for error in errors):
            return Cause.REMAINS
        others = [k for k, word in enumerate(self.found) if k != j and word.is_kept]
        if any(self._same_place(j, k) for k in others):
            return Cause.DOUBLED
        return Cause.NOTHING

    def _apart(self, found: list[int]) -> list[int]:
        """The found words without those that are at the same place as an earlier one."""
        apart: list[int] = []
        for j in found:
            if not any(self._same_place(j, k) for k in apart):
                apart.append(j)
        return apart

    def _same_place(self, j: int, k: int) -> bool:
        """Tells whether two found words overlap by more than half of the smaller one."""
        a, b = self.found[j].box, self.found[k].box
        sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
        return bool((sides > 0).all() and np.prod(sides) > 0.5 * smaller)

    def _ends_line(self, parts: list[int]) -> bool:
        first, second = self.found[parts[0]], self.found[parts[1]]
        return first.text.endswith("-") and second.box[1] > (first.box[1] + first.box[3]) / 2

    def _is_torn(self, i: int, in_best: list[int]) -> bool:
        """Tells whether the true words in one found box are single letters, or have no gap between them."""
        if len(in_best) > 2 and np.mean([len(self.true[k].text) for k in in_best]) <= 1.5:
            return True
        box = self.true[i].box
        others = [self.true[k].box for k in in_best if k != i]
        if box is None or not others:
            return False
        gap = min(max(other[0] - box[2], box[0] - other[2]) for other in others if other is not None)
        return bool(gap < _NO_WHITE * (box[3] - box[1]))

    def _is_formula(self, i: int) -> bool:
        """Tells whether a word without a run of letters is near a sign that only formulas have."""
        if re.search(rf"[^\W\d_]{{{_LONG}}}", self.true[i].text):
            return False
        near = [self.true[k].text for k in range(max(0, i - 2), min(len(self.true), i + 3))]
        return any(text in ("=", "+", "<", ">", "-") or not self.is_known(text) or "(cid:" in text for text in near)

    def _box_fault(self, i: int, j: int) -> Cause | None:
        text, box = self.true[i].text, self.true[i].box
        if box is None:  # the text tells which part is missing
            read = self.found[j].text
            if read and read != text and text.endswith(read):
                return Cause.CUT_LEFT
            return Cause.CUT_RIGHT if read and read != text and text.startswith(read) else None
        inside = (self.found[j].box - box) * (1, 1, -1, -1) / max(1.0, box[3] - box[1])
        left, top, right, bottom = inside.tolist()  # by how much the found box ends inside the true one
        if max(left, right) > _CUT:
            return Cause.CUT_LEFT if left > right else Cause.CUT_RIGHT
        if min(left, right) < -_REACHES:
            return Cause.REACHES_OUT
        return Cause.WRONG_HEIGHT if max(abs(top), abs(bottom)) > _LEVEL else None

    def _place(self, i: int, touching: list[int]) -> np.ndarray | None:
        """The box of a true word or, if unknown, that of the words found at its place or its neighbors."""
        if self.true[i].box is not None:
            return self.true[i].box
        near = touching or [j for k in (i - 1, i + 1) if 0 <= k < len(self.true) for j in self.overlaps.touching(k)]
        if not near:
            return None
        boxes = np.array([self.found[j].box for j in near])
        return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def misreading(true: str, read: str) -> Cause:
    """The cause of the misreading of a word with a good box: the first that explains the whole difference."""
    kinds: tuple[tuple[Cause, Callable[[str], str]], ...] = (
        (Cause.CASE, str.casefold),
        (Cause.PUNCTUATION, lambda text: "".join(char for char in text if char.isalnum())),
        (Cause.ACCENT, _without_accents),
        (Cause.LOOK_ALIKE, _look),
    )
    for kind, normalize in kinds:
        if normalize(true) == normalize(read):
            return kind
    wrong = [code for code in Levenshtein.opcodes(true, read) if code.tag != "equal"]
    ligatures = [match.span() for match in _LIGATURES.finditer(true)]
    if len(wrong) == 1 and any(a <= wrong[0].src_start and wrong[0].src_end <= b for a, b in ligatures):
        return Cause.LIGATURE
    if Levenshtein.distance(true, read) > 1:
        return Cause.SEVERAL
    return Cause.DIGIT if true[wrong[0].src_start : wrong[0].src_end].isdigit() else Cause.LETTER


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def _look(text: str) -> str:
    for pair, one in _LOOK_ALIKE_PAIRS.items():
        text = text.replace(pair, one)
    return text.translate(_FIRST_OF_GROUP)
