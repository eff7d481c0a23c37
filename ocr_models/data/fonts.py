"""Font files to draw with: found in folders, checked for Latin letters, drawn evenly by family.

Only Pillow looks into the files. A face counts as covering a character if it draws something for it that is not its
picture for "no such glyph".
"""

from __future__ import annotations

import re
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from ocr_models.errors import UsageError

FONT_SUFFIXES = frozenset({".ttf", ".otf", ".pfb"})
_PROBE_PX = 24
_REQUIRED = "AZaegiz059.,-()"
_MISSING = "\U0010fffe"
_CACHED_SIZES = 256

# Pictures instead of letters, and outlines too thin to print.
_UNWANTED = re.compile(
    r"symbol|dingbat|ornament|emoji|music|icon|awesome|hairline|braille|barcode|signwriting|keyboard", re.I
)
# The script fonts of Noto repeat the Latin letters of a few, or have none.
_NOTO = re.compile(r"noto (sans|serif)( mono| display)?|noto mono", re.I)
_STYLE_WORDS = re.compile(
    r"\b(thin|extralight|ultralight|light|lt|book|medium|semibold|demibold|demi|bold|extrabold|black|heavy|retina|regular|italic|oblique"
    r"|condensed|cond|semicondensed|expanded|exp|semiexpanded|[0-9]+)\b",
    re.I,
)
# What most documents are set in (or its metric double) is drawn more often than display faces.
_FREQUENT = re.compile(
    r"times|termes|nimbus roman|nimbus sans|liberation s|heros|arimo|tinos|carlito|caladea|latin modern roman|cmu serif"
    r"|lm ?roman|pagella|open sans|roboto|stix|computer modern|libertine|garamond|charis|helvet",
    re.I,
)


@dataclass(frozen=True)
class FontFace:
    """One usable font file: ``family`` is without words for weight and width."""

    path: str
    family: str
    mono: bool
    bold: bool
    italic: bool


@dataclass
class FontLibrary:
    """Faces to draw from. It can be pickled; opened fonts stay in their process."""

    faces: Sequence[FontFace]
    _sized: OrderedDict = field(default_factory=OrderedDict, repr=False)
    _glyphs: dict = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._by_family: dict[str, list[FontFace]] = defaultdict(list)
        for face in self.faces:
            self._by_family[face.family].append(face)
        self._families = {None: _weighted(self._by_family)}
        mono = {name: faces for name, faces in self._by_family.items() if any(face.mono for face in faces)}
        self._families[True] = _weighted(mono) if mono else self._families[None]
        text = {name: faces for name, faces in self._by_family.items() if not all(face.mono for face in faces)}
        self._families[False] = _weighted(text) if text else self._families[None]

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_sized": OrderedDict(), "_glyphs": {}}

    def face(self, rng: Generator, mono: bool | None = None) -> FontFace:
        """A face: the family first, then upright regular about half of the time."""
        names, bounds = self._families[mono]
        faces = self._by_family[names[int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right"))]]
        plain = [face for face in faces if not face.bold and not face.italic]
        pool = plain if plain and rng.random() < 0.5 else faces
        return pool[int(rng.random() * len(pool))]

    def sibling(self, face: FontFace, bold: bool, italic: bool = False) -> FontFace:
        """The face of the same family with this weight and slant, or ``face`` if there is none."""
        for other in self._by_family[face.family]:
            if (other.bold, other.italic, other.mono) == (bold, italic, face.mono):
                return other
        return face

    def sized(self, face: FontFace, size_px: float) -> ImageFont.FreeTypeFont:
        """The face with ``size_px`` pixels an em, from a cache (least recently used goes)."""
        return self._entry(face, size_px)[0]

    def width(self, face: FontFace, size_px: float, text: str) -> float:
        """Pixels from the start of ``text`` to where the next text would begin, without kerning.

        Each letter's advance is kept, since asking the font takes as long as drawing.
        """
        font, advances = self._entry(face, size_px)
        total = 0.0
        for char in text:
            if char not in advances:
                advances[char] = font.getlength(char)
            total += advances[char]
        return total

    def _entry(self, face: FontFace, size_px: float) -> tuple[ImageFont.FreeTypeFont, dict[str, float]]:
        key = (face.path, round(size_px * 2) / 2)
        entry = self._sized.get(key)
        if entry is None:
            font = ImageFont.truetype(face.path, key[1], layout_engine=ImageFont.Layout.BASIC)
            entry = self._sized[key] = (font, {})
            if len(self._sized) > _CACHED_SIZES:
                self._sized.popitem(last=False)
        self._sized.move_to_end(key)
        return entry

    def covers(self, face: FontFace, text: str) -> bool:
        """Whether the face has a glyph for every character of ``text``."""
        known = self._glyphs.setdefault(face.path, {})
        for char in text:
            if char not in known:
                probe = self.sized(face, _PROBE_PX)
                if _MISSING not in known:
                    known[_MISSING] = _glyph(probe, _MISSING)
                known[char] = char == " " or _has_glyph(probe, char, known[_MISSING])
            if not known[char]:
                return False
        return True

    def face_for(self, rng: Generator, text: str, mono: bool | None = None) -> FontFace:
        """A face that covers ``text``; LookupError if the library has none."""
        for _ in range(12):
            face = self.face(rng, mono)
            if self.covers(face, text):
                return face
        fitting = [face for face in self.faces if self.covers(face, text)]
        if not fitting:
            raise LookupError(f"none of {len(self.faces)} fonts has every character of {text!r}")
        return fitting[int(rng.random() * len(fitting))]

    def pick(self, rng: Generator, size_px: float, text: str, mono: bool | None = None) -> ImageFont.FreeTypeFont:
        """A font of ``size_px`` pixels an em that has every glyph of ``text``."""
        return self.sized(self.face_for(rng, text, mono), size_px)


def load_fonts(dirs: Sequence[str | Path]) -> FontLibrary:
    """The usable fonts below ``dirs``; UsageError if a folder has none."""
    faces: dict[tuple, FontFace] = {}
    for folder in dirs:
        paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in FONT_SUFFIXES)
        found = [named for named in map(_read_face, paths) if named]
        if not found:
            raise UsageError(
                f"{folder}: {len(paths)} font files, none usable for Latin text; give a folder with .ttf or .otf files"
            )
        for name, face in found:
            faces.setdefault(name, face)  # the same face as .ttf, .otf and .pfb counts once
    if not faces:
        raise UsageError("no font folder was given; name one or more, such as /usr/share/fonts")
    return FontLibrary(tuple(faces.values()))


def draw_text(
    draw: ImageDraw.ImageDraw, x: float, baseline: float, text: str, font, ink: int
) -> tuple[float, float] | None:
    """Draws text from ``x`` on the baseline (pixels, sub-pixel places kept); returns (left, right) of its ink.

    This is ``ImageDraw.text`` with one layout instead of two, and with the ink's true extent as a by-product.
    """
    mask, offset = font.getmask2(text, mode="L", anchor="ls", start=(x % 1.0, baseline % 1.0))
    bounds = mask.getbbox()
    if bounds is None:
        return None
    left = int(x // 1.0) + offset[0]
    draw.draw.draw_bitmap((left, int(baseline // 1.0) + offset[1]), mask, ink)
    return left + bounds[0], left + bounds[2]


def _weighted(families: dict[str, list[FontFace]]) -> tuple[list[str], np.ndarray]:
    names = list(families)
    return names, np.asarray(list(accumulate(4.0 if _FREQUENT.search(name) else 1.0 for name in names)))


def _read_face(path: Path) -> tuple[tuple[str, str], FontFace] | None:
    try:
        font = ImageFont.truetype(str(path), _PROBE_PX, layout_engine=ImageFont.Layout.BASIC)
        family, style = (name or "" for name in font.getname())
    except (OSError, ValueError):
        return None
    if _UNWANTED.search(family) or (family.lower().startswith("noto") and not _NOTO.fullmatch(family.strip())):
        return None
    missing = _glyph(font, _MISSING)
    if not all(_has_glyph(font, char, missing) for char in _REQUIRED):
        return None
    if not (_is_letter(font, "A", "Á") and _is_letter(font, "e", "é")):
        return None
    full = f"{family} {style}"
    if _UNWANTED.search(full):
        return None
    mono = abs(font.getlength("iiiiii") - font.getlength("MMMMMM")) < 1
    bold = bool(re.search(r"bold|black|heavy", full, re.I))
    italic = bool(re.search(r"italic|oblique|slant", full, re.I))
    short = " ".join(_STYLE_WORDS.sub("", family).split()) or family
    return (family, style), FontFace(str(path), short, mono, bold, italic)


def _glyph(font: ImageFont.FreeTypeFont, char: str) -> np.ndarray:
    """uint8 (H, W): the character's picture, on a canvas of the same size for every character."""
    image = Image.new("L", (3 * _PROBE_PX, 3 * _PROBE_PX))
    ImageDraw.Draw(image).text((_PROBE_PX, 2 * _PROBE_PX), char, fill=255, font=font, anchor="ls")
    return np.asarray(image)


def _has_glyph(font: ImageFont.FreeTypeFont, char: str, missing: np.ndarray) -> bool:
    glyph = _glyph(font, char)
    return bool(glyph.any()) and not np.array_equal(glyph, missing)


def _is_letter(font: ImageFont.FreeTypeFont, base: str, accented: str) -> bool:
    """Whether the accented letter holds the plain one's ink: ornaments at the places of letters don't."""
    plain, marked = _glyph(font, base), _glyph(font, accented)
    # Accents move the letter by up to a pixel's fraction, capitals shrink a little in some faces.
    return float(np.minimum(plain, marked).sum()) > 0.6 * float(plain.sum())
