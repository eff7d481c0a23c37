"""Compares ``pagebeam prepare`` with a plain loop that writes the same pages with ``tf.io.TFRecordWriter``.

    python benchmarks/prepare.py /path/to/pictures --count 1000

Makes this number of different JPEG pages from the pictures, each with an ICDAR label file, and prints a table in
Markdown. The loops run on one core and don't shuffle, split, hash or find duplicates. One reads only the header of each
picture; the other decodes it, as ``pagebeam prepare`` does, which is the only way to know that it is complete.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TEXTS_PER_PAGE = 60
JPEG_QUALITY = 90
EXTENSIONS = (".jpg", ".jpeg", ".png")
_SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER in linux/prctl.h


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", type=Path, help="folder of JPEG and PNG files")
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="number of pages; default: %(default)s")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument("--loop", nargs=2, metavar=("header|decode", "SOURCE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loop:
        run_loop(Path(arguments.loop[1]), arguments.pictures, decode=arguments.loop[0] == "decode")
        return
    with tempfile.TemporaryDirectory(prefix="prepare-benchmark-") as folder:
        source = Path(folder, "source")
        size = make_pages(arguments.pictures, source, arguments.count)
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)  # so that the time of the runs' decoders is counted
        measure_all(source, Path(folder), arguments.count, size, arguments.workers, arguments.rounds)


def make_pages(pictures: Path, source: Path, count: int) -> int:
    """Writes pages that differ in how much is cut off at their edges; returns their total bytes."""
    source.mkdir()
    paths = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in EXTENSIONS)
    rng = np.random.default_rng(1)
    size = 0
    for i in range(count):
        with Image.open(paths[i % len(paths)]) as image:
            edge = 1 + i // len(paths)
            page = image.convert("RGB").crop((edge % 97, edge // 97, image.width, image.height))
        path = source / f"page{i:06d}.jpg"
        page.save(path, quality=JPEG_QUALITY)
        size += path.stat().st_size
        corners = rng.integers([0, 0], [page.width - 60, page.height - 30], (TEXTS_PER_PAGE, 2))
        lines = [f"{x},{y},{x + 50},{y},{x + 50},{y + 20},{x},{y + 20},word{i}" for x, y in corners]
        (source / f"gt_page{i:06d}.txt").write_text("\n".join(lines))
    return size


def measure_all(source: Path, folder: Path, count: int, size: int, workers: list[int], rounds: int) -> None:
    """Prints the table. The pages are in the operating system's cache for all commands."""
    commands = {
        f"plain loop, {kind}, 1 core": [sys.executable, __file__, str(folder / kind), "--loop", kind, str(source)]
        for kind in ("header", "decode")
    }
    prepare = [sys.executable, "-m", "pipelines.cli.main", "prepare", str(source), "--format", "icdar", "--overwrite"]
    for number in workers:
        for mode, name in (("multi_threading", "thread"), ("multi_processing", "process")):
            target = ["--output", str(folder / f"out-{number}-{mode}"), "--workers", str(number)]
            label = f"prepare, {number} {name}{'' if number == 1 else 'es' if name == 'process' else 's'}"
            commands[label] = [*prepare, *target, f"--direct_running_mode={mode}"]
    best = {name: (float("inf"), float("inf")) for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            for output in folder.glob("out-*"):
                shutil.rmtree(output)
            best[name] = min(best[name], measure(command))
    (header, _), (decode, _) = list(best.values())[:2]
    print(
        f"{count} JPEG pages, {size / 1e6:.0f} MB, {os.cpu_count()} cores, the best of {rounds} rounds, with start-up\n"
    )
    print("| | s | s of all cores | images/s | MB/s | of the header loop | of the decode loop |")
    print("|---|---|---|---|---|---|---|")
    for name, (elapsed, cpu) in best.items():
        rates = f"{elapsed:.1f} | {cpu:.1f} | {count / elapsed:.0f} | {size / 1e6 / elapsed:.0f}"
        print(f"| {name} | {rates} | {header / elapsed:.2f} | {decode / elapsed:.2f} |")


def measure(command: list[str]) -> tuple[float, float]:
    """The elapsed seconds of a command, for a loop without its imports, and the seconds of all cores, with imports."""
    start, cpu = time.perf_counter(), _cpu_seconds()
    result = subprocess.run(command, capture_output=True, text=True)
    elapsed = time.perf_counter() - start
    if result.returncode:
        raise SystemExit(f"{command}: {result.stderr}")
    with contextlib.suppress(ChildProcessError):
        while True:  # decoders outlive their run for a moment and then become our children
            os.wait()
    return json.loads(result.stdout)["seconds"] if "--loop" in command else elapsed, _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_loop(source: Path, output: Path, decode: bool) -> None:
    """The loop that anybody would write, timed without the import of TensorFlow."""
    os.sched_setaffinity(0, {0})
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    start = time.perf_counter()
    with tf.io.TFRecordWriter(str(output)) as writer:
        for path in sorted(source.glob("*.jpg")):
            data = path.read_bytes()
            image = Image.open(io.BytesIO(data))
            if decode:
                image.load()
            lines = path.with_name(f"gt_{path.stem}.txt").read_text().splitlines()
            writer.write(example(tf.train, path.name, data, image, lines).SerializeToString())
    print(json.dumps({"seconds": time.perf_counter() - start}))


def example(train: Any, name: str, data: bytes, image: Image.Image, lines: list[str]) -> Any:
    """A SequenceExample with the fields that ``pagebeam prepare`` writes."""

    def of_bytes(value: bytes) -> Any:
        return train.Feature(bytes_list=train.BytesList(value=[value]))

    def of_int(value: int) -> Any:
        return train.Feature(int64_list=train.Int64List(value=[value]))

    fields = [line.split(",", 8) for line in lines]
    quads = [train.Feature(float_list=train.FloatList(value=map(float, row[:8]))) for row in fields]
    lists = {
        "image/text/quad": quads,
        "image/text/string": [of_bytes(row[8].encode()) for row in fields],
        "image/text/ignore": [of_int(int(row[8] == "###")) for row in fields],
    }
    context = {
        "image/id": of_bytes(name.encode()),
        "image/format": of_bytes(b"jpeg"),
        "image/data": of_bytes(data),
        "image/height": of_int(image.height),
        "image/width": of_int(image.width),
    }
    return train.SequenceExample(
        context=train.Features(feature=context),
        feature_lists=train.FeatureLists(
            feature_list={key: train.FeatureList(feature=steps) for key, steps in lists.items()}
        ),
    )


if __name__ == "__main__":
    main()
