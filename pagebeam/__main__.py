"""The ``pagebeam`` command, also as ``python -m pagebeam``."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Runs the command and ends the process."""
    from pipelines.cli.main import command  # the import of this package has made sure that it is ours

    command()


if __name__ == "__main__":
    main()
