"""Formulas as they stand in running text: relations, terms with small raised and lowered parts, Greek letters.

The text of a formula is that of its characters in a row, as the text layers of PDFs have it: "x²" set with a raised 2
is "x2". Letters are in italics, mostly; digits, capitals of Greek and signs are upright, as TeX sets them.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator
from PIL import Image

from ocr_models.data.synthetic.fonts import FontFace, FontLibrary
from ocr_models.data.synthetic.text_tables import FUNCTIONS
from ocr_models.data.synthetic.text_tokens import digits, pick

UP, DOWN, LEVEL = "\x0e", "\x0f", "\x10"
"""Before raised parts, lowered ones, and those on the line; a token of a formula begins with ``LEVEL``."""
_MARKS = {ord(mark): None for mark in (UP, DOWN, LEVEL)}
_SMALL = 0.68  # size of raised and lowered parts; TeX has 7 of 10 points
_RAISED_EM, _LOWERED_EM = 0.38, -0.17

_LATIN = "abcdfghijkmnpqrstuvwxyzABCDEFGHKLMNPRSTVXYZ"
_SMALL_GREEK = "αβγδεζηθικλµνξπρστφχψω"
_GREEK = _SMALL_GREEK + "αβγδεθλµπσφω" + "ς" + "ΓΔΘΛΞΠΣΦΨΩΓΔΣΦΩ"
_RELATIONS = "====<>≤≥≤≥≈≡≠∈∈~∝→→≪≫≃≅⊂⊆⊃⊇∉∋⇒⇔↔←⇐↦⊥↑↓"
_OPERATORS = "++−−−−×·/±∓÷∪∩∧∨⊕⊗◦|"
_PREFIXES = "∂∂∂∇∇∑∏∫∫∮√√√∀∃∅Δℓℏ℘∠"
_SETS = "ℝℝℕℤℂℚ"

# The letters of mathematical italics in Unicode begin here; that of "h" is ℎ.
_ITALIC_CAPITAL, _ITALIC_SMALL, _ITALIC_GREEK = 0x1D434, 0x1D44E, 0x1D6FC


def plain(token: str) -> str:
    """The text of a token without the marks of its layout."""
    return token.translate(_MARKS)


def draw_terms(rng: Generator) -> list[str]:
    """Draws the tokens of a formula: terms, relations and operators, those that are set apart by spaces."""
    u = rng.random()
    if u < 0.22:  # α = 0.05, x ≤ 3.2
        return _tokens(_variable(rng), pick(rng, _RELATIONS), _number(rng))
    if u < 0.34:
        return _tokens(_number(rng), pick(rng, ("±", "×", "−", "−", "÷", "+", "≤", "→")), _number(rng))
    if u < 0.44:  # a measure
        return _tokens(_number(rng), pick(rng, ("µm", "µs", "µL", "Ω", "kΩ", "°C", "nm", "‰", f"cm{UP}−1", f"s{UP}−1")))
    if u < 0.52:
        return _tokens(_term(rng) + pick(rng, (",", ".", ";", ":", ""))) + (
            _tokens(_term(rng)) if rng.random() < 0.5 else []
        )
    if u < 0.58:
        return _tokens(_letter(rng) + ",", _letter(rng), pick(rng, ("∈", "≥", "=", ">", "→", "⊂")), _term(rng))
    if u < 0.63:
        return _tokens(_number(rng), "≤", _variable(rng), pick(rng, ("≤", "<")), pick(rng, (_number(rng), "∞")))
    if u < 0.67:
        return _tokens(pick(rng, ("−", "±", "≈", "~", "≤", "≥", "<", ">", "∓")) + _number(rng))
    tokens = [_term(rng)]
    for i in range(1 + int(4 * rng.random())):
        sign = pick(rng, _RELATIONS if i == 0 and rng.random() < 0.6 else _OPERATORS)
        if rng.random() < 0.25:  # narrow: one token
            tokens[-1] += sign + _term(rng)
        else:
            tokens += [sign, _term(rng)]
    if rng.random() < 0.4:
        tokens[-1] += pick(rng, ",.;")
    return _tokens(*tokens)


def _tokens(*terms: str) -> list[str]:
    return [LEVEL + term for term in terms]


def _letter(rng: Generator) -> str:
    return pick(rng, _GREEK if rng.random() < 0.62 else _LATIN)


def _number(rng: Generator) -> str:
    u, whole = rng.random(), str(int(10 ** (3 * rng.random())) - 1)
    if u < 0.45:
        number = whole
    elif u < 0.9:
        number = f"{whole}.{digits(rng, 1 + int(3 * rng.random()))}"
    else:
        number = f"{whole}×10{UP}{pick(rng, ('−', '−', ''))}{1 + int(12 * rng.random())}{LEVEL}"
    return ("−" if rng.random() < 0.25 else "") + number


def _script(rng: Generator) -> str:
    """A raised or lowered part, mostly of one character."""
    up = rng.random() < 0.5
    u = rng.random()
    if u < 0.5:
        part = pick(rng, "222301n−+*T′" if up else "012ijknmtx")
    elif u < 0.75:
        part = pick(rng, ("−1", "−2", "n−1", "2n", "1/2") if up else ("max", "min", "ij", "n+1", "i−1", "0i", "eff"))
    else:
        part = _letter(rng)
    return (UP if up else DOWN) + part + LEVEL


def _variable(rng: Generator) -> str:
    return _letter(rng) + (_script(rng) if rng.random() < 0.35 else "")


def _term(rng: Generator) -> str:
    u = rng.random()
    if u < 0.3:
        return _variable(rng)
    if u < 0.45:
        return _number(rng)
    if u < 0.6:
        argument = _variable(rng) if rng.random() < 0.6 else f"{_letter(rng)},{_letter(rng)}"
        return f"{_variable(rng)}({argument})"
    if u < 0.68:
        return f"{pick(rng, FUNCTIONS)}{pick(rng, ('', '('))}{_variable(rng)}"
    if u < 0.8:
        return pick(rng, _PREFIXES) + (_script(rng) if rng.random() < 0.15 else "") + _variable(rng)
    if u < 0.84:
        return pick(rng, _SETS) + (_script(rng) if rng.random() < 0.5 else "")
    if u < 0.92:
        brackets = pick(rng, ("()", "()", "[]", "{}", "||", "⟨⟩", "⌊⌋", "⌈⌉", "‖‖", "|⟩"))
        inner = _variable(rng) + (pick(rng, "−+/,|·") + _variable(rng) if rng.random() < 0.5 else "")
        return f"{brackets[0]}{inner}{brackets[1]}" + (_script(rng) if rng.random() < 0.3 else "")
    if u < 0.96:
        return _number(rng) + _variable(rng)
    return f"∂{_letter(rng)}/∂{_letter(rng)}" if rng.random() < 0.5 else _variable(rng) + _variable(rng)


@dataclass(frozen=True)
class FormulaSetting:
    """The faces that a formula is set in: of the text, its italics, and of signs that these lack."""

    fonts: FontLibrary
    upright: FontFace
    italic: FontFace
    signs: FontFace

    @classmethod
    def draw(cls, fonts: FontLibrary, face: FontFace, rng: Generator) -> FormulaSetting | None:
        """Draws the setting of formulas in a text; None if no face has their signs."""
        signs = fonts.sign_face(rng)
        if signs is None:
            return None
        italic = fonts.sibling(face, False, italic=True) if rng.random() < 0.85 else face
        if rng.random() < 0.3:
            italic = signs  # its mathematical italics
        return cls(fonts, face, italic, signs)

    def glyph(self, char: str) -> tuple[FontFace, str] | None:
        """The face for a character, and the character that it has the glyph of; None if no face has it."""
        is_letter = char.isalpha() and char not in "ΓΔΘΛΞΠΣΦΨΩ"
        faces = (self.italic, self.upright, self.signs) if is_letter else (self.upright, self.signs)
        italic = _math_italic(char) if is_letter else None
        for face in faces:
            if face is self.signs and self.italic is not self.upright and italic and self.fonts.covers(face, italic):
                return face, italic
            if self.fonts.covers(face, char):
                return face, char
        return next(((face, char) for face in self.fonts.faces_with(char)), None)

    def paint(
        self, image: Image.Image, x: float, baseline: float, token: str, em: float, ink: int
    ) -> tuple[float, float, float] | None:
        """Draws a token; returns (left, right) of its ink and the place of the pen after it, or None if it can't."""
        glyphs = {char: self.glyph(char) for char in plain(token)}
        if not all(glyphs.values()):
            return None
        size, y = em, baseline
        ends: list[float] = []
        levels: dict[str, tuple[float, float]] = {
            UP: (_SMALL * em, baseline - _RAISED_EM * em),
            DOWN: (_SMALL * em, baseline - _LOWERED_EM * em),
            LEVEL: (em, baseline),
        }
        for char in token:
            if char in levels:
                size, y = levels[char]
                continue
            face, drawn = glyphs[char] or (self.upright, char)
            letters = self.fonts.glyphs(face, size)
            ends += letters.paint(image, x, y, drawn, size, ink) or ()
            x += letters.width(drawn, size)
        return (min(ends), max(ends), x) if ends else None


def _math_italic(char: str) -> str | None:
    if char == "h":
        return "ℎ"
    for first, last, start in (
        ("A", "Z", _ITALIC_CAPITAL),
        ("a", "z", _ITALIC_SMALL),
        ("α", "ω", _ITALIC_GREEK),
    ):
        if first <= char <= last:
            return chr(start + ord(char) - ord(first))
    return chr(_ITALIC_GREEK + ord("μ") - ord("α")) if char == "µ" else None
