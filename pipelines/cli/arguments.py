"""Arguments that ``pagebeam prepare`` and ``pagebeam evaluate`` have in common."""

from __future__ import annotations

import argparse
from typing import Any

from ocr_models.arguments import positive
from ocr_models.data.sources.source import SourceOptions


def add_rendering_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds what sources are told that draw or render their pictures."""
    defaults = SourceOptions()
    group.add_argument("--dpi", type=float, default=defaults.dpi, metavar="N", help="for PDFs; default: %(default)s")
    group.add_argument("--degrade", action="store_true", help="degrade clean renderings as a scanner would")
    group.add_argument("--count", type=positive, default=defaults.count, metavar="N", help="of synthetic pictures")
    group.add_argument("--seed", type=int, default=defaults.seed, metavar="N", help="of these; default: %(default)s")
    group.add_argument("--fonts", nargs="+", default=(), metavar="DIR", help="more folders of fonts for these")
    group.add_argument("--lexicons", nargs="+", default=(), metavar="FILE", help="word lists for these, one a line")


def pop_source_options(values: dict[str, Any]) -> SourceOptions:
    """Takes what a source is told out of a command's arguments."""
    told = {name: values.pop(name) for name in ("dpi", "degrade", "count", "seed")}
    return SourceOptions(**told, fonts=tuple(values.pop("fonts")), lexicons=tuple(values.pop("lexicons")))
