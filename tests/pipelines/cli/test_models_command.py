from __future__ import annotations

import contextlib

from ocr_models.bundle import DEFAULT_BUNDLES, shipped_bundles
from pipelines.cli.main import main


def test_what_ships_is_listed_whatever_lies_in_the_working_directory(tmp_path, capsys):
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    for name in DEFAULT_BUNDLES.values():
        (tmp_path / name).mkdir()  # the folder of a training of one's own that hasn't got far

    with contextlib.chdir(tmp_path):
        assert main(["models"]) == 0

    assert capsys.readouterr().out == listed
    assert [line.split(" (")[0].split(":")[0] for line in listed.splitlines()[::3]] == shipped_bundles()
