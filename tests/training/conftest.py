from __future__ import annotations

import pytest

from tests.text_pdfs import prose, set_text, write_text_pdf


@pytest.fixture(scope="session")
def pdfs(tmp_path_factory):
    """A folder with one document of 22 pages: the 21st is for validation."""
    folder = tmp_path_factory.mktemp("pdfs")
    write_text_pdf(folder / "prose.pdf", [set_text(prose(seed)) for seed in range(22)])
    return folder
