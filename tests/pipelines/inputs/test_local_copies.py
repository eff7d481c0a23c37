from __future__ import annotations

import io
from pathlib import Path

import pytest

from ocr_models.errors import DocumentError
from pipelines.inputs import local_copies
from pipelines.inputs.local_copies import forget_copies, local_copy
from tests.pipelines import samples


def test_a_download_that_breaks_off_is_the_document_s_failure(monkeypatch):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise ConnectionError("reset by peer")

    monkeypatch.setattr(local_copies, "open_file", lambda uri: Broken())
    with pytest.raises(DocumentError, match="reset by peer"):
        local_copy("gs://bucket/reset.png", None)


def test_a_remote_document_is_copied_while_it_is_in_use(tmp_path, monkeypatch):
    source = samples.write_png(tmp_path / "page.png", 1)
    monkeypatch.setattr(local_copies, "open_file", lambda uri: source.open("rb"))
    forget_copies()

    copy = local_copy("gs://bucket/page.png", None)
    name = copy.name

    assert Path(name).read_bytes() == source.read_bytes()
    forget_copies()
    assert Path(name).exists()  # still in use here
    del copy
    assert not Path(name).exists()
