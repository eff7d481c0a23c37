from __future__ import annotations

import argparse

import pytest

from ocr_models.arguments import (
    ArgumentParser,
    above_zero,
    amount,
    count,
    dots_per_inch,
    duration,
    positive,
    share,
    whole,
)
from ocr_models.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (whole, "1.5", "'1.5' is not a whole number"),
        (count, "-1", "-1 is less than 0"),
        (positive, "x", "'x' is not a whole number"),
        (amount, "-0.5", "-0.5 is not a number of at least 0"),
        (amount, "inf", "inf is not a number"),
        (above_zero, "x", "'x' is not a number; give one of at least 0"),
        (above_zero, "0.0", "0.0 is not above 0"),
        (duration, "6", "'6' is no time; give a number with a unit, such as 90m or 6h"),
        (share, "nan", "nan is not a number from 0 to 1"),
        (dots_per_inch, "abc", "'abc' is not a number; give one from 36 to 1200"),
    ],
)
def test_wrong_numbers_are_told_in_plain_words(kind, text, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        kind(text)


def test_numbers_are_read():
    assert (whole("-3"), count("0"), positive("2"), amount("0.5"), share("1"), dots_per_inch("36")) == (
        -3,
        0,
        2,
        0.5,
        1,
        36,
    )


@pytest.fixture
def parser():
    parser = ArgumentParser(prog="tool")
    parser.add_argument("--max-pages", type=positive)
    parser.add_argument("--output", required=True)
    return parser


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--outptu", "x"], "tool: the following arguments are required: --output; did you mean --output? (see"),
        (["--out", "x"], "did you mean --output?"),  # no abbreviations, which could come to mean another option
        (["--output", "x", "--max-pages", "3\x1b"], "argument --max-pages: '3\\x1b' is not a whole number (see"),
    ],
)
def test_errors_say_what_may_have_been_meant(parser, capsys, argv, message):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(argv)
    error = capsys.readouterr().err
    assert message in error and error.endswith(" (see tool --help)\n") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--max_pages=3"], "unknown option --max_pages; did you mean --max-pages? (see tool --help)"),
        (["--zzz", "1"], "unknown option --zzz (see tool --help)"),
        (["stray"], "unexpected argument stray (see tool --help)"),
    ],
)
def test_unknown_arguments_are_usage_errors(parser, argv, message):
    with pytest.raises(UsageError) as caught:
        parser.parse_args(["--output", "x", *argv])
    assert str(caught.value) == message
