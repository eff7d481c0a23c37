"""``pagebeam inspect``, on data sets that ``pagebeam prepare`` made."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from ocr_models.data.dataset import find_shards as find_shards_to_train
from ocr_models.errors import UsageError
from ocr_models.io.sequence_example import serialize_example
from ocr_models.io.tfrecord import record_bytes, write_records
from pipelines.cli import main as cli
from pipelines.evaluation.labelled_data import find_shards as find_shards_to_score
from tests.pipelines.labelled import read_split, write_captions, write_pages


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_pages(folder / "in", range(12))
    command = ["prepare", folder / "in", "--format", "icdar", "--output", folder / "out", "--splits", "0.5,0.5,0"]
    assert cli.main([*map(str, command), "--shards", "2"]) == 0
    return folder / "out"


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    for path in made.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def a_shard(dataset: Path) -> tuple[Path, list[bytes]]:
    """One with several records, and these."""
    for path in sorted(dataset.glob("*.tfrecord")):
        payloads = [*map(serialize_example, read_split(dataset, path.name.rpartition("-of-")[0]))]
        if len(payloads) > 1:
            return path, payloads
    raise AssertionError("no shard has several records")


def test_statistics_and_examples_of_a_whole_data_set(made, tmp_path, capsys):
    drawn = tmp_path / "drawn.png"

    assert cli.main(["inspect", str(made), "--count", "3", "--draw", str(drawn)]) == 0

    out = capsys.readouterr().out
    assert "12 examples" in out
    assert "texts       12, ignored regions 12" in out
    assert "width px    min 48, quartiles 48 48 48, max 48 (steps of 16)" in out  # 60 // 16 × 16
    assert "text length min 5, quartiles 5 5 5, max 6" in out  # word0 to word9, word10 and word11
    assert out.count(": 60×40 png: word") == 3
    assert cv2.imread(str(drawn)).shape[0] > 40


def test_captions_are_described_by_their_tokens(tmp_path, capsys):
    write_captions(tmp_path / "in", {1: ["A dog runs.", "The dog"]})
    cli.main(["prepare", str(tmp_path / "in"), "--format", "captions", "--output", str(tmp_path / "out")])

    assert cli.main(["inspect", str(tmp_path / "out")]) == 0

    out = capsys.readouterr().out
    assert "tokens      5, the most frequent first: dog" in out
    assert "1.jpg: 30×20 jpeg: a dog runs ." in out


def test_a_flipped_bit_is_found_in_its_record(dataset, capsys):
    path, payloads = a_shard(dataset)
    data = bytearray(path.read_bytes())
    data[record_bytes(payloads[0]) + 100] ^= 1  # in the second record
    path.write_bytes(data)

    assert cli.main(["inspect", str(dataset)]) == 1

    assert f"DAMAGED {path}, record 1: this TFRecord doesn't fit its checksum" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path, payloads: path.write_bytes(path.read_bytes()[:-1]), "within this TFRecord: it is cut short"),
        (lambda path, payloads: rewrite(path, payloads[:-1]), "dataset.json says"),
        (lambda path, payloads: rewrite(path, [payloads[1], payloads[0], *payloads[2:]]), "sha256"),
        (lambda path, payloads: rewrite(path, [b"no example", *payloads[1:]]), "record 0: the record is no Sequence"),
        (lambda path, payloads: path.unlink(), ": missing"),
    ],
)
def test_other_damage_is_found(dataset, damage, message, capsys):
    path, payloads = a_shard(dataset)
    damage(path, payloads)

    assert cli.main(["inspect", str(dataset)]) == 1

    captured = capsys.readouterr()
    assert f"DAMAGED {path}" in captured.out and message in captured.out
    assert "pagebeam: 1 " in captured.err or "faults" in captured.err


def rewrite(path: Path, payloads: list[bytes]) -> None:
    with path.open("wb") as file:
        write_records(file, payloads)


def test_shards_of_anybody_are_read_without_a_description(dataset, capsys):
    path, payloads = a_shard(dataset)
    (dataset / "dataset.json").unlink()

    assert cli.main(["inspect", str(path)]) == 0
    assert f"{len(payloads)} examples" in capsys.readouterr().out


@pytest.mark.parametrize("pattern", ["nothing", "nothing/*.tfrecord", "empty"])
def test_a_place_without_shards_is_an_error(tmp_path, pattern, capsys):
    (tmp_path / "empty").mkdir()

    assert cli.main(["inspect", str(tmp_path / pattern)]) == 2
    assert f"no shards at {tmp_path / pattern}" in capsys.readouterr().err


def test_a_foreign_description_is_an_error(dataset, capsys):
    (dataset / "dataset.json").write_text(json.dumps({"name": "another tool's"}))

    assert cli.main(["inspect", str(dataset)]) == 2
    assert "this is not the dataset.json of a data set that pagebeam made" in capsys.readouterr().err


def test_data_set_that_is_not_finished_is_refused_by_all_who_read_it(dataset, capsys):
    (dataset / "dataset.json").unlink()
    (dataset / "_staging").mkdir()
    (dataset / "_staging" / "started").touch()

    assert cli.main(["inspect", str(dataset)]) == 2
    assert f"{dataset}: a data set that isn't finished" in capsys.readouterr().err
    for find, pattern in ((find_shards_to_train, str(dataset)), (find_shards_to_score, f"{dataset}/train-*")):
        with pytest.raises(UsageError, match="isn't finished"):
            find(pattern)
