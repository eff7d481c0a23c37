from __future__ import annotations

import contextlib
import re
from pathlib import Path

from ocr_models.bundle import DEFAULT_BUNDLES, find_bundle, shipped_bundles
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


def test_models_lists_what_ships_as_the_model_card_has_it(capsys):
    assert main(["models"]) == 0

    lines = iter(capsys.readouterr().out.splitlines())
    listed = {first.split()[0].rstrip(":"): (first, *more) for first, *more in zip(lines, lines, lines, strict=True)}
    card = (Path(__file__).parents[3] / "docs/model_card.md").read_text()
    names, sizes = (re.search(rf"^\| ?{row} ?\|(.+)\|$", card, re.M)[1].split("|") for row in ("", "Bundle"))
    assert {name.strip(" `") for name in names} == {*listed}
    for name, size in zip(names, sizes, strict=True):
        head, reads, scores = listed[name.strip(" `")]
        bundle = find_bundle(name.strip(" `"))
        assert re.search(r"\d+\.\d MB", size)[0] in head and bundle.id.partition("@")[2] in head
        assert bundle.config["task"] in head and f"{bundle.config['metrics']['score']:.3f}" in scores
        assert ("word lists" in reads) == ("lexicon" in size)
    assert listed["crnn-fast"][0].startswith("crnn-fast (default): recognition, 8.3 MB, digest ")
    assert listed["east-fast"][1:] == (
        "  finds words on pages",
        "  validation: F-score 0.867, precision 0.864, recall 0.870",
    )
