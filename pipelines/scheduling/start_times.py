"""When a scheduled run starts: reads ``--at``, and writes it as cron and systemd want it (``type=`` of ``argparse``).

Sources: crontab(5) and systemd.time(7). Only what all crons, Airflow and Kubernetes understand is accepted: Sunday is
0, because Kubernetes refuses 7.
"""

from __future__ import annotations

import argparse
import re
import zoneinfo
from dataclasses import dataclass

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = re.compile(r"(?:(?P<days>[A-Za-z][A-Za-z,.-]*)\s+)?(?P<hour>\d\d?):(?P<minute>\d\d)")
# Minute, hour, day of the month, month, day of the week: the least and the most, and names for the first, second, …
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_CALENDAR_WORDS = ("hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly")
_EXAMPLES = "give 02:30, or 'Mon,Thu 02:30', or 'Mon-Fri 02:30'"


@dataclass(frozen=True)
class _Time:
    """A time of the day on some days of the week (0 is Sunday), or on all if there are none."""

    days: tuple[int, ...]
    hour: int
    minute: int


def cron_fields(text: str) -> str:
    """The five fields for ``02:30``, ``Mon,Thu 02:30`` or ``Mon-Fri 02:30``; five fields as they are, but checked."""
    if time := _read_time(text):
        days = ",".join(map(str, time.days)) or "*"
        return f"{time.minute} {time.hour} * * {days}"
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; {_EXAMPLES}, or the five fields of cron")
    for field, (least, most, names) in zip(fields, _FIELDS, strict=True):
        if not all(_is_cron_item(item, least, most, names) for item in field.split(",")):
            raise argparse.ArgumentTypeError(f"{field!r} in {text!r} is not a field of cron from {least} to {most}")
    return " ".join(fields)


def on_calendar(text: str) -> str:
    """The value of ``OnCalendar=`` for the same times; values of ``OnCalendar=`` as they are."""
    if time := _read_time(text):
        days = ",".join(_DAYS[day] for day in time.days)
        return f"{days} *-*-* {time.hour:02}:{time.minute:02}:00".lstrip()
    is_calendar = "*" in text and re.fullmatch(r"[\w *,.:/~-]+", text, re.ASCII) and len(text.split()) < len(_FIELDS)
    if not is_calendar and text not in _CALENDAR_WORDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; {_EXAMPLES}, or a value of OnCalendar=")
    return text


def time_zone(text: str) -> str:
    """The name of a time zone, such as Europe/Berlin."""
    try:
        return zoneinfo.ZoneInfo(text).key
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time zone; give UTC, or Europe/Berlin") from None


def _read_time(text: str) -> _Time | None:
    """Reads a time with days or without; None if the text has another form."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        return None
    hour, minute = int(found["hour"]), int(found["minute"])
    if hour > 23 or minute > 59:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time of the day from 00:00 to 23:59")
    days: set[int] = set()
    for item in (found["days"] or "").split(",") if found["days"] else ():
        days.update(_read_days(item, text))
    return _Time(tuple(sorted(days)), hour, minute)


def _read_days(item: str, text: str) -> list[int]:
    """The days of ``Mon``, ``Mon-Fri`` or ``Fri..Mon``, which goes over the end of the week."""
    ends = re.split(r"-|\.\.", item.title())
    if len(ends) > 2 or not set(ends) <= set(_DAYS):
        raise argparse.ArgumentTypeError(f"{item!r} in {text!r} is no day of the week; {_EXAMPLES}")
    first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
    return [(first + offset) % 7 for offset in range((last - first) % 7 + 1)]


def _is_cron_item(item: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    """Whether ``*``, ``3``, ``Mon``, ``1-5`` or one of them with a step, such as ``*/15``, is in bounds."""
    found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d?))?", item, re.ASCII)
    if not found:
        return False
    if found[1] is None:
        return True
    if found[3] and not found[2]:  # 5/15: crons differ in what it means
        return False
    first = _cron_number(found[1], least, names)
    last = _cron_number(found[2], least, names) if found[2] else first
    return first is not None and last is not None and least <= first <= last <= most


def _cron_number(text: str, least: int, names: tuple[str, ...]) -> int | None:
    if text.title() in names:
        return names.index(text.title()) + least
    return int(text) if text.isdecimal() else None
