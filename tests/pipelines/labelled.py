"""Small labelled pictures, made on the spot, and a source that does to its reader what hostile files do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ocr_models.data.sources.source import Files, LabelledPicture, RejectedPicture, SourceItem
from ocr_models.io.sequence_example import parse_example
from ocr_models.io.tfrecord import iter_records, open_tfrecord
from ocr_models.records import Example, Task
from tests.pipelines import samples
from tests.pipelines.decoding.hostile_requests import Crash, Devour, Hang

QUAD = [[4, 5], [30, 5], [30, 20], [4, 20]]


def write_pages(folder: Path, seeds: range, text: str = "word") -> list[Path]:
    """Pages with one text each, as ICDAR has them: ``word7`` at ``QUAD``, and a region to be ignored."""
    paths = []
    for seed in seeds:
        paths.append(samples.write_png(folder / f"page{seed:03d}.png", seed))
        label_page(paths[-1], f"{text}{seed}")
    return paths


def label_page(path: Path, text: str) -> None:
    corners = ",".join(str(number) for corner in QUAD for number in corner)
    path.with_name(f"gt_{path.stem}.txt").write_text(f"{corners},{text}\n40,5,50,5,50,20,40,20,###\n")


def write_captions(folder: Path, captions: dict[int, list[str]]) -> None:
    """Photographs with captions in a CSV table, by their seeds."""
    folder.mkdir(parents=True)
    lines = ["image,caption"]
    for seed, texts in captions.items():
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
        (folder / f"{seed}.jpg").write_bytes(samples.encoded(Image.fromarray(pixels), "JPEG"))
        lines += [f'{seed}.jpg,"{text}"' for text in texts]
    (folder / "captions.csv").write_text("\n".join(lines))


def read_split(output: Path, split: str = "*") -> list[Example]:
    """All examples of a split, or of all, in the order of their files."""
    examples = []
    for path in sorted(output.glob(f"{split}-*.tfrecord*")):
        with open_tfrecord(path) as file:
            examples += [parse_example(payload) for payload in iter_records(file, verify=True)]
    return examples


def sha256s(output: Path) -> dict[str, str]:
    """The SHA-256 of every file of a data set, by its name."""
    files = (path for path in output.rglob("*") if path.is_file())
    return {path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@dataclass(frozen=True)
class HostileSource:
    """Pictures of plain names, which read well, and "crash", "hang" and "devour", which do just that."""

    names: tuple[str, ...]
    task = Task.RECOGNITION
    format = "hostile"

    def items(self, files: Files) -> Iterator[SourceItem]:
        for name in self.names:
            yield SourceItem(name, None, None)

    def read(self, item: SourceItem, path: str | None) -> Iterator[LabelledPicture | RejectedPicture]:
        hostile = {"crash": Crash(), "hang": Hang(), "devour": Devour()}.get(item.name)
        if hostile:
            hostile.answer()
        seed = int.from_bytes(item.name.encode(), "big")
        data = samples.encoded(Image.fromarray(samples.page_pixels(seed)))
        example = Example(item.name, data, "png", 40, 60, np.float32([QUAD]), (item.name,), np.array([False]))
        yield LabelledPicture(item.name, hashlib.sha256(data).hexdigest(), seed % 2**64, (example,))
