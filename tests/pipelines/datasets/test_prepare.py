"""``pagebeam prepare`` as a whole, on Beam's local runner, with labelled pictures made on the spot."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ocr_models.charset import Charset
from ocr_models.io.sequence_example import serialize_example
from ocr_models.limits import DecodeLimits
from ocr_models.vocabulary import Vocabulary
from pipelines.cli import main as cli
from pipelines.datasets import transforms
from pipelines.datasets.prepare import PrepareOptions, prepare_source
from pipelines.decoding.pool import DecodePool
from pipelines.runtime.runner import make_pipeline
from tests.pipelines import samples
from tests.pipelines.labelled import (
    QUAD,
    HostileSource,
    label_page,
    read_split,
    sha256s,
    write_captions,
    write_pages,
)

Prepare = Callable[..., int]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_pages(tmp_path / "in", range(40))
    return tmp_path / "in"


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Runs ``pagebeam prepare`` into a folder below the test's; returns its exit status."""

    def prepare(source: Path, *arguments: object, output: str = "out", labelled: str = "icdar") -> int:
        command = ["prepare", source, "--format", labelled, "--output", tmp_path / output, *arguments]
        return cli.main(list(map(str, command)))

    return prepare


def description(output: Path) -> dict:
    return json.loads((output / "dataset.json").read_text())


def quarantined(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "quarantine/quarantine.jsonl").read_text().splitlines()]


def test_a_data_set_reads_back_as_it_was_labelled(source, prepare, tmp_path):
    status = prepare(source, "--splits", "0.6,0.2,0.2", "--shards", 3)

    output = tmp_path / "out"
    splits = {split: read_split(output, split) for split in ("train", "validation", "test")}
    examples = sorted(itertools.chain(*splits.values()), key=lambda example: example.image_id)
    assert status == 0
    assert [example.image_id for example in examples] == [f"page{seed:03d}.png" for seed in range(40)]
    for seed, example in enumerate(examples):
        assert example.data == (source / example.image_id).read_bytes()  # passed through
        assert (example.height_px, example.width_px, example.image_format) == (40, 60, "png")
        assert example.quads[0].tolist() == QUAD
        assert (example.texts[0], example.ignore.tolist()) == (f"word{seed}", [False, True])
    said = description(output)["splits"]
    assert {split: len(found) for split, found in splits.items()} == {
        split: counts["examples"] for split, counts in said.items()
    }
    assert [len(said[split]["shards"]) for split in splits] == [3, 1, 1]  # 3 × 0.2 / 0.6 = 1
    train_texts = "".join(example.texts[0] for example in splits["train"])
    assert Charset.load(output / "charset.txt").characters == "".join(sorted(set(train_texts)))
    assert sorted(path.name for path in output.iterdir()) == sorted(
        ["charset.txt", "contact_sheet.png", "dataset.json", "quarantine"]
        + [shard["path"] for counts in said.values() for shard in counts["shards"]]
    )


def test_shards_depend_on_neither_runner_mode_nor_workers(source, prepare, tmp_path):
    label_page(samples.write_png(source / "twin.png", 3), "another")
    (source / "page007.png").write_bytes(b"no picture")
    processes = "--direct_running_mode=multi_processing"

    for output, arguments in {
        "one": ["--workers", 1],
        "two": ["--workers", 2],
        "processes": ["--workers", 2, processes],
    }.items():
        assert prepare(source, "--shards", 4, "--splits", "0.6,0.2,0.2", *arguments, output=output) == 3

    one = sha256s(tmp_path / "one")
    assert len([name for name in one if name.startswith("train")]) == 4
    assert len(one) == 4 + 2 + 4 + 1  # the shards; what describes them; the bad picture
    assert one == sha256s(tmp_path / "two") == sha256s(tmp_path / "processes")


def test_a_second_run_does_nothing_and_a_changed_source_needs_overwrite(source, prepare, tmp_path, capsys):
    prepare(source)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}

    assert prepare(source, "--workers", 1) == 0
    assert "unchanged: nothing to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before

    label_page(source / "page000.png", "changed")
    assert prepare(source) == 2
    assert "--overwrite to replace it" in capsys.readouterr().err
    assert prepare(source, "--overwrite") == 0
    assert "changed" in {example.texts[0] for example in read_split(tmp_path / "out")}


def test_messages_are_for_people_or_programs_or_nobody(source, prepare, tmp_path, capsys):
    statuses = [prepare(source, *options) for options in (["--log-format=json"], ["--quiet"], [])]

    told = capsys.readouterr()
    brief, for_people = told.out.splitlines()
    counted = json.loads(brief)
    assert statuses == [0, 0, 0] and counted["unchanged"] is False
    assert counted["splits"] == description(tmp_path / "out")["splits"]
    assert for_people.startswith("unchanged: nothing to do")
    assert json.loads(told.err.splitlines()[0])["event"] == "start"


def test_other_options_or_a_lost_shard_are_not_unchanged(source, prepare, tmp_path):
    prepare(source)

    assert prepare(source, "--splits", "0.5,0.25,0.25") == 2
    (tmp_path / "out/train-00000-of-00001.tfrecord").unlink()
    assert prepare(source) == 2


def test_a_killed_run_leaves_nothing_finished_and_the_next_one_completes(prepare, tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    write_pages(source, range(300))
    command = ["prepare", str(source), "--format", "icdar", "--output", str(output), "--shards", "5"]
    code = f"""
import os, signal
from pipelines.cli.main import main
from pipelines.datasets import transforms

def write_shard(*arguments, write=transforms.write_shard):
    write(*arguments)
    os.killpg(0, signal.SIGKILL)

transforms.write_shard = write_shard
main({command!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], start_new_session=True)

    assert killed.returncode == -signal.SIGKILL
    assert any(path.stat().st_size for path in output.glob("_staging/*.tfrecord"))
    assert not (output / "dataset.json").exists()
    (output / "train-00004-of-00009.tfrecord").write_bytes(b"a shard of a run that was cut off later")
    assert prepare(source, "--shards", 5) == 0
    assert prepare(source, "--shards", 5, output="whole") == 0
    assert sha256s(output) == sha256s(tmp_path / "whole")


def test_bad_pictures_are_quarantined_and_the_others_stay_the_same(source, prepare, tmp_path):
    prepare(source, output="good")
    good = {example.image_id: serialize_example(example) for example in read_split(tmp_path / "good")}
    truncated, no_picture = source / "page011.png", source / "page023.png"  # 2 of 40: 5 %
    truncated.write_bytes(truncated.read_bytes()[:500])
    no_picture.write_bytes(b"no picture")

    assert prepare(source, output="bad") == 3

    bad = {example.image_id: serialize_example(example) for example in read_split(tmp_path / "bad")}
    assert bad == {name: record for name, record in good.items() if name not in (truncated.name, no_picture.name)}
    found = quarantined(tmp_path / "bad")
    assert [(problem["name"], problem["kind"], problem["stage"]) for problem in found] == [
        ("page011.png", "picture", "decode"),
        ("page023.png", "picture", "decode"),
    ]
    for problem, path in zip(found, (truncated, no_picture), strict=True):
        assert (tmp_path / "bad/quarantine" / problem["file"]).read_bytes() == path.read_bytes()
    assert description(tmp_path / "bad")["quarantined"] == {
        "pictures": 2,
        "pictures_by_stage": {"decode": 2},
        "labels": 0,
        "repairs": 0,
    }


def test_labels_left_out_or_mended_are_listed(source, prepare, tmp_path):
    lines = ["200,200,240,200,240,220,200,220,outside", "30,20,4,5,30,5,4,20,crossing", "4,5,30,5,30,20,4,20,fine"]
    (source / "gt_page005.txt").write_text("\n".join(lines))

    assert prepare(source) == 3

    found = quarantined(tmp_path / "out")
    assert [(problem["name"], problem["kind"]) for problem in found] == [
        ("page005.png", "label"),
        ("page005.png", "repair"),
    ]
    assert "outside" in found[0]["reason"] and "crossing" in found[1]["reason"]
    assert description(tmp_path / "out")["quarantined"]["labels"] == 1


def test_a_picture_that_kills_its_decoder_is_quarantined_alone(tmp_path, monkeypatch):
    pool = DecodePool(1, DecodeLimits(time_s=1.0, memory_bytes=2 << 30))
    monkeypatch.setattr(transforms, "shared_pool", lambda: pool)
    output = str(tmp_path / "out")
    options = PrepareOptions(source="hostile", format="hostile", output=output, workers=1)
    source = HostileSource(("a", "crash", "b", "hang", "devour", "c"))

    prepare_source(make_pipeline(options), source, str(tmp_path / "in"), output, options)

    pool.close()
    assert sorted(example.image_id for example in read_split(tmp_path / "out")) == ["a", "b", "c"]
    reasons = {problem["name"]: problem["reason"] for problem in quarantined(tmp_path / "out")}
    assert reasons == {
        "crash": "the document crashed its decoder (signal 11)",
        "devour": "decoding takes more memory than is allowed for a page; "
        "raise the limit with --max-memory-mb of pagebeam run",
        "hang": "decoding took more than 1 s and was stopped; raise the limit with --max-seconds of pagebeam run",
    }


def test_the_same_picture_is_kept_once_and_look_alikes_are_reported(source, prepare, tmp_path):
    pages = Image.fromarray(samples.page_pixels(0)), Image.fromarray(samples.page_pixels(1))
    shutil.copy(source / "page000.png", source / "zz_same.png")
    label_page(source / "zz_same.png", "word0")
    shutil.copy(source / "page001.png", source / "zz_other.png")
    label_page(source / "zz_other.png", "otherwise")
    pages[0].putpixel((0, 0), 255 - pages[0].getpixel((0, 0)))  # other bytes, the same look
    (source / "zz_alike.png").write_bytes(samples.encoded(pages[0]))
    label_page(source / "zz_alike.png", "word0")

    assert prepare(source) == 0

    said = description(tmp_path / "out")
    names = [example.image_id for example in read_split(tmp_path / "out")]
    assert len(names) == 41 and "zz_same.png" not in names and "zz_other.png" not in names
    assert said["duplicates"]["pictures"] == 2
    assert said["duplicates"]["with_other_labels"] == 1
    assert said["duplicates"]["listed"] == [
        {"name": "zz_other.png", "reason": "has the bytes of page001.png, but other labels: check which are right"},
        {"name": "zz_same.png", "reason": "has the bytes of page000.png"},
    ]
    assert [pair["names"] for pair in said["near_duplicates"]["listed"]] == [["page000.png", "zz_alike.png"]]
    assert said["near_duplicates"]["pairs"] == 1


def test_gzipped_shards_hold_the_same_records_and_no_time(source, prepare, tmp_path):
    prepare(source, output="plain")
    prepare(source, "--gzip", output="packed")

    plain, packed = ([*map(serialize_example, read_split(tmp_path / name))] for name in ("plain", "packed"))
    assert plain == packed
    [shard] = (tmp_path / "packed").glob("train-00000-of-00001.tfrecord.gz")
    header = shard.read_bytes()[:8]
    assert header == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"  # gzip, deflate, no name, time 0 (RFC 1952)


def test_captions_get_ids_from_the_training_split_and_stay_together(prepare, tmp_path):
    captions = {seed: [f"A dog number {seed}.", "Some dog", "A dog, again."] for seed in range(20)}
    write_captions(tmp_path / "in", captions)

    assert prepare(tmp_path / "in", "--splits", "0.5,0.25,0.25", "--min-count", 3, labelled="captions") == 0

    output = tmp_path / "out"
    vocabulary = Vocabulary.load(output / "vocabulary.txt")
    splits = {split: read_split(output, split) for split in ("train", "validation", "test")}
    train = [example.caption for example in splits["train"]]
    assert vocabulary.words == Vocabulary.build(train, 3).words
    assert vocabulary.words[3] == "dog"  # in all captions, three for each picture
    examples = list(itertools.chain(*splits.values()))
    assert len(examples) == 60
    for example in examples:
        assert list(example.caption_ids) == vocabulary.encode(example.caption)
    pictures = [{example.image_id for example in found} for found in splits.values()]
    assert sum(map(len, pictures)) == len(set.union(*pictures)) == 20
    assert description(output)["splits"]["train"]["pictures"] == len(pictures[0])


def test_the_contact_sheet_shows_pictures_with_their_labels(source, prepare, tmp_path):
    prepare(source)

    sheet = cv2.imread(str(tmp_path / "out/contact_sheet.png"))
    blue, _, red = (channel.astype(int) for channel in cv2.split(sheet))
    assert np.count_nonzero(red - blue > 100) > 24 * 50  # quads around 24 texts
    assert np.count_nonzero(blue - red > 100) > 24 * 20  # texts


@pytest.mark.parametrize("name", ["train-00000-of-00001.tfrecord", "charset.txt", "quarantine/notes.txt"])
def test_a_folder_with_files_of_others_is_refused(source, prepare, tmp_path, name, capsys):
    theirs = tmp_path / "out" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("precious")

    assert prepare(source) == 2

    assert theirs.read_text() == "precious"
    assert f"holds {name}, which no run of pagebeam prepare left there" in capsys.readouterr().err


def test_a_source_of_which_nothing_can_be_used_gives_no_data_set(tmp_path, prepare, capsys):
    write_pages(tmp_path / "in", range(2))
    for path in (tmp_path / "in").glob("*.png"):
        path.write_bytes(b"no picture")

    assert prepare(tmp_path / "in") == 1

    assert "none of its pictures can be used" in capsys.readouterr().err
    assert not (tmp_path / "out/dataset.json").exists()
    assert len(quarantined(tmp_path / "out")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--splits", "0.9,0.2,0.05"], "add up to 1"),
        (["--splits", "0.9,0.1"], "expected three numbers"),
        (["--splits", "0,0.5,0.5"], "that of train can't be 0"),
        (["--below", "0.6"], "--below goes with --format pagebeam"),
        (["--no-such-option", "1"], "unknown option --no_such_option"),
    ],
)
def test_a_wrong_command_is_refused_before_any_work(source, prepare, tmp_path, arguments, message, capsys):
    assert prepare(source, *arguments) == 2

    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_output_below_the_source_is_no_part_of_it(source, prepare, capsys):
    output = "in/dataset"

    assert prepare(source, output=output) == 0
    assert prepare(source, output=output) == 0
    assert "unchanged" in capsys.readouterr().out


def test_an_unwritable_output_is_refused(source, prepare, tmp_path, capsys):
    assert prepare(source, output="in/page000.png/out") == 2
    assert "can't write to the output folder" in capsys.readouterr().err


def test_a_source_in_the_output_folder_is_refused_as_that(source, prepare, capsys):
    assert prepare(source, output="") == 2
    assert "in the output folder" in capsys.readouterr().err


def test_labels_that_cannot_be_read_cost_their_picture_only(source, prepare, tmp_path):
    (source / "gt_page003.txt").unlink()
    (source / "gt_page003.txt").symlink_to("nothing.txt")

    assert prepare(source) == 3

    [problem] = quarantined(tmp_path / "out")
    assert problem["name"] == "page003.png" and "labels can't be read" in problem["reason"]


def test_a_table_that_cannot_be_read_is_refused(prepare, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/captions.csv").symlink_to("nothing.csv")

    assert prepare(tmp_path / "in", labelled="captions") == 2
    assert "captions.csv" in capsys.readouterr().err


def test_a_folder_called_like_a_pattern_is_no_pattern(source, prepare, tmp_path, capsys):
    other = tmp_path / "out1/dataset.json"
    other.parent.mkdir()
    other.write_text("{}")

    assert prepare(source, output="out[12]") == 0
    assert not (tmp_path / "out[12]/_staging").exists()
    assert prepare(source, output="out[12]") == 0
    assert "unchanged" in capsys.readouterr().out
    assert prepare(source, "--shards", 2, "--overwrite", output="out[12]") == 0
    assert other.read_text() == "{}"
    assert cli.main(["inspect", str(tmp_path / "out[12]")]) == 0


def test_lines_of_gt_txt_come_back(prepare, tmp_path):
    texts = [f"ſo ſchaͤdlich iſt es {seed}" for seed in range(10)]
    for seed, text in enumerate(texts):
        path = samples.write_png(tmp_path / "in/lines" / f"{seed:04d}.png", seed)
        path.with_suffix(".gt.txt").write_text(f"\ufeff{text}\n", encoding="utf-8")

    assert prepare(tmp_path / "in", labelled="gt-txt") == 0

    examples = sorted(read_split(tmp_path / "out"), key=lambda example: example.image_id)
    assert [example.texts for example in examples] == [(text,) for text in texts]
    assert [example.data for example in examples] == [
        path.read_bytes() for path in sorted((tmp_path / "in").rglob("*.png"))
    ]


@pytest.mark.parametrize("labelled", ["alto", "page"])
def test_a_page_of_xml_comes_back(prepare, tmp_path, labelled):
    data = samples.write_png(tmp_path / "in/a.png", 1).read_bytes()  # 60 × 40 pixels
    words = {"Brot &": (4, 5, 30, 20), "depart-": (35, 5, 55, 20)}
    xml = {
        "alto": """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout><Page><TextLine>
            <String HPOS="4" VPOS="5" WIDTH="26" HEIGHT="15" CONTENT="Brot &amp;"/>
            <String HPOS="35" VPOS="5" WIDTH="20" HEIGHT="15" CONTENT="depart"/><HYP CONTENT="-"/>
            </TextLine></Page></Layout></alto>""",
        "page": """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
            <Page imageFilename="a.png"><TextRegion><TextLine>
            <Word><Coords points="4,5 30,5 30,20 4,20"/><TextEquiv><Unicode>Brot &amp;</Unicode></TextEquiv></Word>
            <Word><Coords points="35,5 55,5 55,20 35,20"/><TextEquiv><Unicode>depart-</Unicode></TextEquiv></Word>
            </TextLine></TextRegion></Page></PcGts>""",
    }
    (tmp_path / "in/a.xml").write_text(xml[labelled])

    assert prepare(tmp_path / "in", labelled=labelled) == 0

    [example] = read_split(tmp_path / "out")
    assert (example.image_id, example.data, example.texts) == ("a.png", data, tuple(words))
    assert [(*quad[0], *quad[2]) for quad in example.quads] == [*words.values()]
    assert not example.ignore.any()
