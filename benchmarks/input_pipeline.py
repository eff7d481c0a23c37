"""Compares the input pipeline with a bare ``TFRecordDataset`` that only decodes, and measures how long training waits.

    python benchmarks/input_pipeline.py /usr/share/fonts

Draws words and pages, writes them to shards, and prints two tables in Markdown. "Bare" parses the records and decodes
their pictures with TensorFlow's own kernels, in parallel, without shuffling, resizing, labels or batches.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
import tensorflow as tf

from ocr_models.charset import LATIN, Charset
from ocr_models.data.loading.batches import WINDOWS_A_PAGE
from ocr_models.data.loading.input_pipeline import detection_dataset, recognition_dataset
from ocr_models.data.loading.training_examples import DataConfig, page_examples, word_examples
from ocr_models.io.sequence_example import serialize_example
from ocr_models.io.tfrecord import write_records
from ocr_models.records import Example, PageTruth, WordTruth

SHARDS = 4
BATCH, WINDOWS, WINDOW_PX = 64, 8, 384
CHARSET = Charset(LATIN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("fonts", help="folder of fonts")
    parser.add_argument("--words", type=int, default=16_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--pages", type=int, default=96, metavar="N", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=300, metavar="N", help="of training; default: %(default)s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="input-pipeline-benchmark-") as name:
        folder = Path(name)
        write_data(folder, DataConfig(fonts=(arguments.fonts,)), arguments.words, arguments.pages)
        compare(folder, arguments.words, arguments.pages, arguments.rounds)
        train(folder, arguments.steps)


def write_data(folder: Path, config: DataConfig, words: int, pages: int) -> None:
    """Writes words with a validation split, and pages of 200 dpi."""
    drawn = map(word_record, word_examples(config, CHARSET, seed=1))
    write_shards(folder / "words", "train", itertools.islice(drawn, words))
    write_shards(folder / "words", "validation", itertools.islice(drawn, 200))
    CHARSET.save(folder / "words" / "charset.txt")
    scans = map(page_record, page_examples(config, (200, 200), seed=1))
    write_shards(folder / "pages", "train", itertools.islice(scans, pages))


def write_shards(folder: Path, split: str, records: Iterable[bytes]) -> None:
    folder.mkdir(exist_ok=True)
    payloads = list(records)
    for i in range(SHARDS):
        with (folder / f"{split}-{i:05d}-of-{SHARDS:05d}.tfrecord").open("wb") as file:
            write_records(file, payloads[i::SHARDS])


def word_record(word: WordTruth) -> bytes:
    height, width = word.image.shape
    edge = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    return serialize_example(Example("", png(word.image), "png", height, width, edge, (word.text,), np.zeros(1, bool)))


def page_record(page: PageTruth) -> bytes:
    height, width = page.image.shape
    return serialize_example(Example("", png(page.image), "png", height, width, page.quads, page.texts, page.ignore))


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def compare(folder: Path, words: int, pages: int, rounds: int) -> None:
    """Prints examples per second, the medians of rounds in which the pipelines take turns."""
    read = partial(recognition_dataset, str(folder / "words"), CHARSET, BATCH)
    find = partial(detection_dataset, str(folder / "pages"), WINDOWS, WINDOW_PX)
    windows = WINDOWS_A_PAGE * pages
    pipelines = {
        "words": (
            words,
            {
                "bare": lambda: bare(folder / "words").take(words),
                "without augmentation": lambda: read(augment=False).take(words // BATCH),
                "augmented": lambda: read().take(words // BATCH),
            },
        ),
        "pages": (
            pages,
            {
                "bare": lambda: bare(folder / "pages").take(pages),
                "without augmentation": lambda: find(augment=False).take(windows // WINDOWS),
                "augmented": lambda: find().take(windows // WINDOWS),
            },
        ),
    }
    print("| Examples | Pipeline | Examples/s | Ratio to bare |\n|---|---|---|---|")
    for what, (count, of_kind) in pipelines.items():
        seconds: dict[str, list[float]] = {name: [] for name in of_kind}
        for _ in range(rounds):
            for name, make in of_kind.items():
                seconds[name].append(seconds_of(make()))
        rates = {name: count / statistics.median(times) for name, times in seconds.items()}
        for name, rate in rates.items():
            print(f"| {what} | {name} | {rate:,.0f} | {rate / rates['bare']:.2f} |", flush=True)


def bare(folder: Path) -> tf.data.Dataset:
    paths = sorted(str(path) for path in folder.glob("train-*"))

    def decode(record: tf.Tensor) -> tf.Tensor:
        context, _ = tf.io.parse_single_sequence_example(record, {"image/data": tf.io.FixedLenFeature([], tf.string)})
        return tf.io.decode_png(context["image/data"], channels=1)

    return tf.data.TFRecordDataset(paths).map(decode, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def seconds_of(dataset: tf.data.Dataset) -> float:
    start = time.perf_counter()
    for _ in dataset:
        pass
    return time.perf_counter() - start


def train(folder: Path, steps: int) -> None:
    """Trains ``crnn-fast`` in a separate process and prints the share of time in which no batch was ready."""
    data = ["--data", str(folder / "words"), "--validation", str(folder / "words")]
    output = ["--output", str(folder / "crnn"), "--steps", str(steps), "--validate-every", str(steps)]
    command = [sys.executable, "-m", "ocr_models.training.cli", "recognition", *data, *output]
    subprocess.run(command, check=True, capture_output=True)
    state = json.loads((folder / "crnn-run" / "checkpoint.json").read_text())
    lines = map(json.loads, (folder / "crnn-run" / "history.jsonl").read_text().splitlines())
    rate = statistics.median(line["examples_per_s"] for line in lines if "examples_per_s" in line)
    share = state["waiting_seconds"] / state["seconds"]
    print("\n| Training of crnn-fast | Steps | Words/s | Share of time waiting for batches |\n|---|---|---|---|")
    print(f"| batches of {BATCH}, {os.cpu_count()} cores | {state['step']} | {rate:.0f} | {share:.2%} |")


if __name__ == "__main__":
    main()
