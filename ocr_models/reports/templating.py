"""Jinja templates of this folder's ``templates/``."""

from __future__ import annotations

from pathlib import Path

import jinja2


def template_environment() -> jinja2.Environment:
    """Loads templates by file name and escapes all values: what was read on a page can't become markup."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
