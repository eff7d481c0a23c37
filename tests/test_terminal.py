from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_models import terminal
from ocr_models.terminal import LogFormat, PrintableFormatter, configure_log, printable, say, tell

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


@pytest.fixture
def told(capsys, monkeypatch):
    """Returns the lines that were told on stderr; the settings of the log are put back."""
    for name in ("_format", "_level"):
        monkeypatch.setattr(terminal, name, getattr(terminal, name))
    root = logging.getLogger()
    level = root.level
    yield lambda: capsys.readouterr().err.splitlines()
    root.setLevel(level)


def test_what_is_told_is_text_for_people(told):
    tell(EVIL, event="read", pages=3)
    assert told() == [HARMLESS]


def test_what_is_told_is_an_object_per_line_for_programs(told, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(sys.stderr)])
    configure_log(LogFormat.JSON, logging.INFO)

    tell(EVIL, logging.WARNING, "read", pages=3)
    logging.getLogger("library").error("broken %s", "file")

    first, second = map(json.loads, told())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.pop("time"))
    assert first == {"level": "warning", "event": "read", "message": EVIL, "pages": 3}
    assert (second["level"], second["event"], second["logger"], second["message"]) == (
        "error",
        "log",
        "library",
        "broken file",
    )


def test_less_important_lines_are_left_out(told):
    configure_log(LogFormat.TEXT, logging.ERROR)

    tell("progress")
    tell("error", logging.ERROR)
    logging.getLogger("library").warning("noise")

    assert told() == ["error"]


@pytest.mark.parametrize("function", ["say", "hand_on"])
def test_a_command_goes_on_when_nobody_reads_what_it_prints(function):
    code = f"""
import subprocess
import sys
from pathlib import Path
from ocr_models.terminal import {function}
for _ in range(10_000):
    {function}("a line of some length that fills the buffers of a pipe")
sys.stdout.flush()
sys.exit(3)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 3
