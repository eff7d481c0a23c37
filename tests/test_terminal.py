from __future__ import annotations

import io
import logging

from ocr_models.terminal import PrintableFormatter, printable, say

EVIL = "a\x1b]0;title\x07\x9b2J\u202egnp.\ud800é\nb"
HARMLESS = r"a\x1b]0;title\x07\x9b2J\u202egnp.\ud800é\nb"


def test_what_controls_a_terminal_is_escaped_and_letters_are_not():
    assert printable(EVIL) == HARMLESS
    assert printable("Übung № 3 文.pdf") == "Übung № 3 文.pdf"


def test_lines_are_printed_each_on_one_line(capsys):
    say("one", EVIL, "")
    assert capsys.readouterr().out == f"one\n{HARMLESS}\n\n"


def test_logs_are_printable_too():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PrintableFormatter("%(message)s"))
    handler.emit(logging.makeLogRecord({"msg": "%s left out", "args": ("a\x1b[2J.png",)}))
    assert stream.getvalue() == "a\\x1b[2J.png left out\n"
