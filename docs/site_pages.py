"""Pages of the docs site that aren't files of this folder: README and others, and the commands; and the man page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from argparse_manpage.manpage import Manpage
from mkdocs.structure.files import File, Files

from ocr_models import __version__
from pipelines.cli.completion_command import parsers, whole_parser

ROOT = Path(__file__).parents[1]
OF_ROOT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_COLUMNS = "72"  # of help texts, whatever the terminal has: so they fit on a page of man
_LINK = re.compile(r"\[([^]]+)\]\((?!https?:)([^)#]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages (mkdocs calls it)."""
    for name, page in OF_ROOT.items():
        files.append(File.generated(config, page, content=_LINK.sub(_site_link, (ROOT / name).read_text())))
    files.append(File.generated(config, "commands.md", content="\n".join(_commands())))
    return files


def _site_link(link: re.Match[str]) -> str:
    """A link of a page of the root. Source files aren't on the site: of a link to one, the text stays."""
    text, target, anchor = link[1], link[2], link[3] or ""
    page = OF_ROOT.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    return f"[{text}]({page}{anchor})" if page else text


def _commands() -> Iterator[str]:
    os.environ["COLUMNS"] = _COLUMNS
    yield "# Commands\n\nWhat `pagebeam COMMAND --help` prints.\n"
    for name, parser in parsers().items():
        yield f"## pagebeam {name}\n\n```text\n{parser.format_help()}```\n"


def on_post_build(config: Any) -> None:
    """Writes the man page beside the site's pages (mkdocs calls it)."""
    page = Manpage(whole_parser())
    page.description, page.source, page.manual = "bulk OCR", f"Pagebeam {__version__}", "Pagebeam"
    (Path(config.site_dir) / "pagebeam.1").write_text(str(page))
