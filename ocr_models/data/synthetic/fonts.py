"""Fonts to draw with, found in folders and checked for Latin letters. They are drawn by family, then by face.

A face covers a character if it draws a picture for it other than the picture for missing glyphs.
"""

from __future__ import annotations

import re
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import ImageFont

from ocr_models.charset import LATIN, PRINT
from ocr_models.data.synthetic.glyphs import GRID_PX, LARGE_GRID_PX, MISSING, FaceGlyphs
from ocr_models.errors import UsageError

FONT_SUFFIXES = frozenset({".ttf", ".otf", ".pfb"})
_PROBE_PX = 24
_REQUIRED = "AZaegilmxz059.,-()"
_CACHED_FACES = 400
SIGNS = frozenset(PRINT) - frozenset(LATIN)
_COMMON_SIGNS = "αβγδθλπσφωΓΔΩ−≤≥≈∞∂∇√∈→"

# These fonts have pictures instead of letters, capitals instead of small letters, or outlines too thin to print.
_UNWANTED = re.compile(
    r"\bcaps|\bSC\b|initials|symbol|dingbat|ornament|emoji|music|icon|awesome|hairline|braille|barcode|signwriting|keyboard",
    re.I,
)
# Noto's fonts for other scripts repeat the Latin letters of these, or have none.
_NOTO = re.compile(r"noto (sans|serif)( mono| display)?|noto mono", re.I)
_STYLE_WORDS = re.compile(
    r"\b(thin|extralight|ultralight|light|lt|book|medium|semibold|demibold|demi|bold|extrabold|black|heavy|retina|regular|italic|oblique"
    r"|condensed|cond|semicondensed|expanded|exp|semiexpanded|[0-9]+)\b",
    re.I,
)
# The faces that most documents and old books are set in, and their metric equivalents, are drawn more often.
_FREQUENT = re.compile(
    r"times|termes|nimbus roman|nimbus sans|liberation s|heros|arimo|tinos|carlito|caladea|pagella"
    r"|latin modern roman$|cmu serif$|open sans|roboto|stix|computer modern|libertine|garamond|charis|helvet"
    r"|old standard|didot|bodoni|caslon|baskerv|schoolbook|century",
    re.I,
)
# Revivals of the faces of books up to 1930, and similar faces.
_OLD_BOOKS = re.compile(
    r"old standard|didot|bodoni|caslon|baskerv|schola$|c059|schoolbook|century(?! gothic)|cmu (classical )?serif$"
    r"|lmroman[0-9]+|latin modern roman$|garamond|goudy|im fell|essays1743|linden hill|fanwood|junicode|elstob|prociono"
    r"|libertine( display)? o$|romande adf( no2)? std|time roman|tymes|museum|berenis adf pro$|\bcardo\b|artemisia"
    r"|accanthis|bookman|bonum$",
    re.I,
)
# The faces of typewriters and line printers, and their revivals.
_TYPEWRITERS = re.compile(
    r"courier|typewriter|cursor|nimbus mono|freemono|liberation mono|cousine|lmmono|latin modern mono|prime|typoscript"
    r"|3270|glass|ocr|letter gothic|compagnon|routed gothic",
    re.I,
)


class FontKind(StrEnum):
    """The use of a face."""

    MONO = "mono"
    TEXT = "text"  # all families except those with monospaced faces only
    BOOK = "book"  # old books
    TYPEWRITER = "typewriter"


@dataclass(frozen=True)
class FontFace:
    """A usable font file. ``family`` excludes words for weight and width."""

    path: str
    family: str
    mono: bool
    bold: bool
    italic: bool


@dataclass
class FontLibrary:
    """Faces to choose from. Pickling leaves out opened fonts."""

    faces: Sequence[FontFace]
    _glyphs: OrderedDict[tuple[str, int], FaceGlyphs] = field(default_factory=OrderedDict, repr=False)
    _by_sign: dict[str, list[FontFace]] = field(default_factory=lambda: defaultdict(list), repr=False)
    _sign_faces: list[FontFace] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._by_family: dict[str, list[FontFace]] = defaultdict(list)
        for face in self.faces:
            self._by_family[face.family].append(face)
        families = self._by_family
        kinds = {
            FontKind.MONO: [name for name in families if any(face.mono for face in families[name])],
            FontKind.TEXT: [name for name in families if not all(face.mono for face in families[name])],
            FontKind.BOOK: [name for name in families if _OLD_BOOKS.search(name)],
            FontKind.TYPEWRITER: [name for name in families if _TYPEWRITERS.search(name)],
        }
        self._families: dict[FontKind | None, tuple[list[str], np.ndarray]] = {None: _weighted(list(families))}
        for kind, names in kinds.items():
            self._families[kind] = _weighted(names or list(families))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_glyphs": OrderedDict()}

    def face(self, rng: Generator, kind: FontKind | None = None) -> FontFace:
        """Draws a family of a kind, or of any, and then a face, at least half of the time upright and not bold."""
        names, bounds = self._families[kind]
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

    def glyphs(self, face: FontFace, size_px: float = GRID_PX) -> FaceGlyphs:
        """The letters of the face for sizes of about ``size_px`` pixels per em, from an LRU cache."""
        key = (face.path, GRID_PX if size_px < 1.4 * GRID_PX else LARGE_GRID_PX)
        glyphs = self._glyphs.get(key)
        if glyphs is None:
            glyphs = self._glyphs[key] = FaceGlyphs(*key)
            if len(self._glyphs) > _CACHED_FACES:
                self._glyphs.popitem(last=False)
        self._glyphs.move_to_end(key)
        return glyphs

    def covers(self, face: FontFace, text: str) -> bool:
        """Tells whether the face has a glyph for every character of ``text``."""
        return self.glyphs(face).covers(text)

    def faces_with(self, sign: str) -> list[FontFace]:
        """The faces with a character outside ``LATIN``; the first call opens every face."""
        if not self._by_sign:
            for face in self.faces:
                for own in _signs_of(face.path):
                    self._by_sign[own].append(face)
        return self._by_sign.get(sign, [])

    def sign_face(self, rng: Generator) -> FontFace | None:
        """Draws a face that has the common signs of mathematics; None if none has."""
        if self._sign_faces is None:
            with_signs = [{f.path for f in self.faces_with(sign)} for sign in _COMMON_SIGNS]
            paths = set.intersection(*with_signs)
            self._sign_faces = [face for face in self.faces if face.path in paths and not face.bold]
        return self._sign_faces[int(rng.random() * len(self._sign_faces))] if self._sign_faces else None

    def face_for(self, rng: Generator, text: str) -> FontFace:
        """Draws a face that covers ``text``. Raises LookupError if there is none."""
        for _ in range(12):
            face = self.face(rng)
            if self.covers(face, text):
                return face
        rare = next((char for char in text if char in SIGNS), None)
        faces = self.faces_with(rare) if rare else self.faces
        fitting = [face for face in faces if self.covers(face, text)]
        if not fitting:
            raise LookupError(f"none of {len(self.faces)} fonts has every character of {text!r}")
        return fitting[int(rng.random() * len(fitting))]


def load_fonts(dirs: Sequence[str | Path]) -> FontLibrary:
    """Loads the usable fonts below ``dirs``. Raises UsageError if a folder has none."""
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


@cache
def _signs_of(path: str) -> frozenset[str]:
    """The characters outside ``LATIN`` that a face has."""
    font = ImageFont.truetype(path, _PROBE_PX)
    missing = _drawn(font, MISSING)
    return frozenset(sign for sign in SIGNS if any(drawn := _drawn(font, sign)) and drawn != missing)


def _drawn(font: ImageFont.FreeTypeFont, char: str) -> bytes:
    mask = np.asarray(font.getmask(char), np.uint8)
    return mask.tobytes()


def _weighted(names: list[str]) -> tuple[list[str], np.ndarray]:
    """Families with their cumulative weights."""
    return names, np.asarray(list(accumulate(12.0 if _FREQUENT.search(name) else 1.0 for name in names)))


def _read_face(path: Path) -> tuple[tuple[str, str], FontFace] | None:
    try:
        family, style = (name or "" for name in ImageFont.truetype(str(path), _PROBE_PX).getname())
        if _UNWANTED.search(family) or (family.lower().startswith("noto") and not _NOTO.fullmatch(family.strip())):
            return None
        glyphs = FaceGlyphs(str(path))
    except (OSError, ValueError):
        return None
    full = f"{family} {style}"
    if _UNWANTED.search(full) or not glyphs.covers(_REQUIRED) or not _has_letters(glyphs):
        return None
    mono = abs(glyphs.width("iiiiii", _PROBE_PX) - glyphs.width("MMMMMM", _PROBE_PX)) < 1
    bold = bool(re.search(r"bold|black|heavy", full, re.I))
    italic = bool(re.search(r"italic|oblique|slant", full, re.I))
    short = " ".join(_STYLE_WORDS.sub("", family).split()) or family
    return (family, style), FontFace(str(path), short, mono, bold, italic)


def _has_letters(glyphs: FaceGlyphs) -> bool:
    """Tells whether marks and letters have the proportions of Latin type, unlike ornaments in their place."""
    shapes = {}
    for char in ".-lmx":
        glyph = glyphs.get(char)
        if glyph is None:
            return False
        shapes[char] = glyph.mask.shape  # (H, W)
    tall = shapes["l"][0]
    marks = shapes["."][0] < 0.4 * tall and shapes["-"][0] < 0.35 * tall
    return marks and shapes["x"][0] < 0.9 * tall and shapes["l"][1] < 1.15 * shapes["m"][1]
