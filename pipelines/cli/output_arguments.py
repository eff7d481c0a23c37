"""Arguments of the sub-commands that look at an output folder."""

from __future__ import annotations

import argparse

from pipelines.output.current_view import tables_of
from pipelines.output.schemas import TABLES, Table, find_table


def add_output_argument(parser: argparse.ArgumentParser, name: str = "output") -> None:
    """Adds the output folder, under a name of its own where ``--output`` is another one."""
    parser.add_argument(name, metavar="DIR", help="output folder of a run")


def add_table_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the choice of a table, for ``choose_table``."""
    parser.add_argument("--table", choices=list(TABLES), help="default: the one that DIR has, or pages")


def choose_table(output: str, name: str | None) -> Table:
    """The table of this name; without one, the first that the output folder has."""
    return find_table(name) if name else tables_of(output)[0]
