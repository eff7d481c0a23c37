"""Strangers' text in CSV files, which spreadsheets take as a formula if it begins with ``=``, ``+``, ``-`` or ``@``.

An apostrophe is put before such text, as OWASP recommends ("CSV Injection"), and taken away again when our own files
are read. A spreadsheet may also split cells at the separators of another country, so that text after one counts, too.
"""

from __future__ import annotations

import re

FORMULA = r"(^|[;,|\t\r\n])('* *[=+\-@＝＋－＠])"
"""What is neutralized, for JavaScript, too. Excel takes the fullwidth forms as the others."""
_NEUTRAL = FORMULA.replace("('*", "'('*")


def neutralize(text: str) -> str:
    """The text as a cell that no spreadsheet computes."""
    return re.sub(FORMULA, r"\1'\2", text)


def restore(cell: str) -> str:
    """The text that was neutralized; other texts stay as they are."""
    return re.sub(_NEUTRAL, r"\1\2", cell)
