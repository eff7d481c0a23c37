"""Charsets: the characters that a recognizer knows, and their class numbers.

Class 0 is the CTC blank; characters are numbered from 1 in the order of the charset.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from ocr_models.errors import UsageError

BLANK_ID = 0

_ASCII = string.digits + string.ascii_letters + string.punctuation
_WESTERN = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿŒœŸ"
_CENTRAL = "ĀāĂăĄąĆćČčĎďĐđĒēĖėĘęĚěĞğĢģĪīĮįİıĶķĹĺĻļĽľŁłŃńŅņŇňŌōŐőŔŕŘřŚśŞşŠšŢţȚțȘșŤťŪūŮůŰűŲųŴŵŶŷŹźŻżŽž"
_SYMBOLS = "‘’‚“”„‹›«»–—•…§¶†‡°€£¥¢©®™½¼¾¹²³±×÷·¿¡µªº"

# Greek letters that look like Latin ones, such as "Α", "Ρ" and "ο", are read as those: only a whole word would tell.
GREEK = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθικλνξπρςστυφχψω"
_MATHS = "−∓≠≤≥≪≫≈≃≅≡∝∞∂∇∑∏∫∮√∈∉∋∅⊂⊆⊃⊇∪∩∀∃∧∨⊥⊕⊗∠‖←↑→↓↔⇐⇒⇔↦′⟨⟩⌊⌋⌈⌉ℓℏ℘ℂℕℚℝℤ◦‰"
_MARKS = "■□○►✓✗"  # of forms and lists

LATIN = _ASCII + _WESTERN + _CENTRAL + _SYMBOLS
PRINT = LATIN + GREEK + _MATHS + _MARKS
"""The characters of new recognizers: Latin letters, Greek ones of their own shape, mathematical and other signs."""

# Code points with the same glyph: characters that look alike are read as one.
_AS_PRINTED: dict[str, str | int | None] = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl"}
_AS_PRINTED |= {"ﬅ": "st", "ﬆ": "st", "\u00ad": "-", "\u00a0": " ", "\u200b": ""}
_PRINTED = str.maketrans(_AS_PRINTED)
_SAME_LOOK = str.maketrans(
    {"‐": "-", "‑": "-", "‒": "–", "―": "—", "∙": "·", "⋅": "·", "●": "•", "∗": "*", "μ": "µ"}
    | dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True))
    | dict(zip("ϵϑϰϖϱϕ∆∊", "εθκπρφΔ∈", strict=True))
    | {"∥": "‖", "∣": "|", "∖": "\\", "∼": "~", "⋯": "…", "″": "′′", "〈": "⟨", "〉": "⟩", "⟶": "→", "⟵": "←"}
    | {"∘": "◦", "▪": "■", "▫": "□", "☐": "□", "✔": "✓", "✘": "✗", "▶": "►", "➤": "►", "⩽": "≤", "⩾": "≥"}
    | _AS_PRINTED
)


def normalize_text(text: str) -> str:
    """Composes accents (Unicode NFC) and replaces code points that look alike by the one in the charset."""
    return unicodedata.normalize("NFC", text.translate(_SAME_LOOK))


def printed_text(text: str) -> str:
    """Composes accents, spells ligatures out and makes soft hyphens plain: text of any script, as it is printed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_PRINTED))


class Charset:
    """An ordered set of characters. ``len(charset)`` counts them without the blank."""

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = "".join(characters)
        self._ids = {char: i for i, char in enumerate(self.characters, start=1)}
        if len(self._ids) != len(self.characters):
            raise UsageError(f"charset of {len(self.characters)} characters has one twice; each must occur once")

    @classmethod
    def load(cls, path: Path) -> Charset:
        """Reads ``charset.txt``: UTF-8, one character per line."""
        return cls(path.read_text(encoding="utf-8").split("\n")[:-1])

    def save(self, path: Path) -> None:
        path.write_text("".join(f"{char}\n" for char in self.characters), encoding="utf-8")

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, text: str) -> bool:
        """Whether every character of ``text`` is known."""
        return all(char in self._ids for char in text)

    def encode(self, text: str) -> list[int]:
        """Class numbers of ``text``; raises KeyError for a character outside the charset."""
        return [self._ids[char] for char in text]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of class numbers, which must not contain the blank."""
        return "".join([self.characters[i - 1] for i in ids])
