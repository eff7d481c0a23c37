"""A font for invisible text, whose one glyph has no area: what stands for which character is said by the PDF.

The glyph is a line and back between the corners of its box, as PDFium takes characters' boxes from their outlines.

A word is a string of codes of 16 bits, given to characters in the order in which a document needs them, and its
``ToUnicode`` map says which those are: so any character of Unicode can be searched and copied (PDF 1.7, 9.7.5, 9.10.3).
"""

from __future__ import annotations

import functools
import io
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name

from pipelines.export.exported_page import DESCENT

ADVANCE = 0.5
"""Width of each character in units of the font's size."""
_UNITS_PER_EM = 1000
# Below the baseline the glyph reaches as far as letters do; were it 0, poppler would take 0.35.
_WIDTH, _BELOW = round(_UNITS_PER_EM * ADVANCE), round(_UNITS_PER_EM * DESCENT)
_ABOVE = _UNITS_PER_EM - _BELOW
_MAX_CODES = 65_535
_PER_BLOCK = 100  # entries of a block of a CMap: the limit of Adobe's technical note 5014


class GlyphlessFont:
    """The font of one PDF.

    Args:
        pdf: the document, to which ``finish`` adds it.
    """

    def __init__(self, pdf: pikepdf.Pdf) -> None:
        self._pdf = pdf
        self._codes: dict[str, int] = {}
        self.object: Any = pdf.make_indirect(Dictionary())

    def encode(self, text: str) -> str:
        """The codes of a text, in hex. Raises ValueError if a document has more different characters than codes."""
        codes = [self._codes.setdefault(character, len(self._codes) + 1) for character in text]
        if len(self._codes) > _MAX_CODES:
            raise ValueError(f"the document has more than {_MAX_CODES:,} different characters")
        return "".join(f"{code:04x}" for code in codes)

    def finish(self) -> None:
        """Fills in the font, when all text is encoded."""
        to_unicode = self._pdf.make_stream(_to_unicode(self._codes))
        glyphs = self._pdf.make_stream(b"\0\0" + b"\0\1" * len(self._codes))
        file = self._pdf.make_stream(font_file(), Length1=len(font_file()))
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name.Glyphless,
            Flags=4,  # symbolic
            FontBBox=Array([0, -_BELOW, _WIDTH, _ABOVE]),
            ItalicAngle=0,
            Ascent=_ABOVE,
            Descent=-_BELOW,
            CapHeight=_ABOVE,
            StemV=80,
            FontFile2=file,
        )
        cid_font = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name.Glyphless,
            CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=self._pdf.make_indirect(descriptor),
            DW=_WIDTH,
            CIDToGIDMap=glyphs,
        )
        self.object.update(
            Dictionary(
                Type=Name.Font,
                Subtype=Name.Type0,
                BaseFont=Name.Glyphless,
                Encoding=Name("/Identity-H"),
                DescendantFonts=Array([self._pdf.make_indirect(cid_font)]),
                ToUnicode=to_unicode,
            )
        )


def _to_unicode(codes: dict[str, int]) -> bytes:
    """A CMap from codes to characters in UTF-16."""
    entries = [f"<{code:04x}> <{character.encode('utf-16-be').hex()}>" for character, code in codes.items()]
    blocks = (entries[start : start + _PER_BLOCK] for start in range(0, len(entries), _PER_BLOCK))
    lines = [
        "/CIDInit /ProcSet findresource begin",
        "12 dict begin",
        "begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def",
        "/CMapType 2 def",
        "1 begincodespacerange",
        "<0000> <ffff>",
        "endcodespacerange",
        *(line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")),
        "endcmap",
        "CMapName currentdict /CMap defineresource pop",
        "end",
        "end",
    ]
    return "\n".join(lines).encode()


@functools.cache
def font_file() -> bytes:
    """A TrueType font with the glyph, which is always the same bytes."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, -_BELOW))
    pen.lineTo((_WIDTH, _ABOVE))
    pen.closePath()
    names = [".notdef", "character"]
    builder = FontBuilder(_UNITS_PER_EM, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({0x20: names[1]})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (_WIDTH, 0)))
    builder.setupHorizontalHeader(ascent=_ABOVE, descent=-_BELOW)
    builder.setupNameTable({"familyName": "Glyphless", "styleName": "Regular", "psName": "Glyphless"})
    builder.setupOS2(sTypoAscender=_ABOVE, sTypoDescender=-_BELOW, usWinAscent=_ABOVE, usWinDescent=_BELOW)
    builder.setupPost()
    builder.font.recalcTimestamp = False
    builder.updateHead(created=0, modified=0)
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()
