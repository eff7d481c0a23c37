from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ocr_models.bundle import WEIGHTS, find_bundle
from ocr_models.errors import UsageError
from pipelines.runtime.bundles import absolute_bundle, local_bundle
from tests.pipelines.remote_files import SCHEME, CountedFileSystem


def test_a_bundle_on_a_file_system_of_beam_is_copied_once(tmp_path: Path):
    CountedFileSystem.reset(tmp_path)
    shutil.copytree(WEIGHTS / "east-fast", tmp_path / "models/my-east")

    copy = local_bundle(f"{SCHEME}models/my-east")

    assert find_bundle(copy, "detection").digest == find_bundle("east-fast").digest
    assert local_bundle(f"{SCHEME}models/my-east") == copy
    assert set(CountedFileSystem.opened.values()) == {1}
    with pytest.raises(UsageError, match=f"{SCHEME}models/none: no such model bundle"):
        local_bundle(f"{SCHEME}models/none")


def test_a_relative_bundle_means_the_same_to_workers_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()

    assert absolute_bundle("mine") == absolute_bundle("./mine") == str(tmp_path / "mine")
    assert absolute_bundle("crnn-fast") == "crnn-fast"
    assert absolute_bundle("gs://bucket/mine") == "gs://bucket/mine"
