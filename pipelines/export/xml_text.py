"""Text in XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree

# What XML 1.0 can't have in it, not even escaped: production [2] of the recommendation.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARK = "\ufffd"  # a character that can't be shown

Element = ElementTree.Element


def add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    """Adds an element to another one; characters that XML can't have become U+FFFD."""
    element = ElementTree.SubElement(parent, tag, {name: allowed(value) for name, value in attributes.items()})
    element.text = None if text is None else allowed(text)
    return element


def allowed(text: str) -> str:
    """Text in which the characters that XML can't have are U+FFFD."""
    return _FORBIDDEN.sub(_MARK, text)


def to_bytes(root: Element) -> bytes:
    """An XML file with this root."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, "UTF-8", xml_declaration=True) + b"\n"


def number(value: float) -> str:
    """A number with at most 4 decimals: confidences are not surer than that, and pixels are rounded to 1/8."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
