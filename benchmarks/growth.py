"""How time, memory and bytes grow with the number of pages, in all that a run does besides decoding and reading them.

Each step runs in a process of its own, whose peak memory is that of the step: the files are listed and compared with
what is known (``list``), rows of 300 words are packed and written to shards (``write``), the run is committed
(``commit``), the next run lists and finds nothing new (``again``), and the output is described (``status``). A document
has ten pages.

    python benchmarks/growth.py --rows 10000 100000
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PAGES = 10
STEPS = ("list", "write", "commit", "again", "status")


def document(folder: Path, number: int) -> Path:
    """The path of a document; a thousand are in a folder."""
    return folder / f"in/{number // 1000:05d}/{number % 1000:03d}.pdf"


def fake_row(chance: random.Random, count: int) -> dict[str, Any]:
    """The columns of a page of so many words that don't say which page it is."""
    words = ["".join(chance.choices("etaoinshrdlucmfw", k=chance.randint(2, 9))) for _ in range(count)]
    quads = [[float(chance.randint(0, 13600)) / 8 for _ in range(8)] for _ in range(count)]
    lines = [" ".join(words[start : start + 10]) for start in range(0, count, 10)]
    return {
        "source_kind": "pdf",
        "also_at": [],
        "page_count": PAGES,
        "status": "ok",
        "text": "\n".join(lines),
        "mean_confidence": 0.9,
        "words": [
            {"text": text, "confidence": 0.9, "quad": quad, "line": number // 10, "in_text": True}
            for number, (text, quad) in enumerate(zip(words, quads, strict=True))
        ],
        "lines": [{"text": text, "quad": quads[number], "confidence": 0.9} for number, text in enumerate(lines)],
        "is_complete": True,
        "words_left_out": 0,
        "unknown_script_share": 0.0,
        **{name: "fake@0" for name in ("detector_id", "recognizer_id", "engine")},
        "reader_id": "0" * 16,
        "schema_version": 4,
        "elapsed_ms": 1.0,
    }


def plan(folder: Path, run_id: str) -> None:
    """Lists the files, and writes those that aren't known among the unfinished ones of a run."""
    from pipelines.output.run_manifest import RunDescription, write_description
    from pipelines.output.schemas import PAGES as TABLE
    from pipelines.reading.plan import Planner
    from pipelines.reading.run_options import Rereading

    planner = Planner([str(folder / "in")], str(folder / "out"), TABLE, "0" * 16, Rereading())
    found = planner.plan(run_id).found
    write_description(str(folder / "out"), RunDescription(run_id, found=found))


def write(folder: Path, words: int) -> None:
    """Writes rows to shards, and notes which documents were opened."""
    import hashlib

    from pipelines.inputs.discovery import find_files
    from pipelines.inputs.page_ranges import page_id
    from pipelines.output.documents_table import stamp_columns
    from pipelines.output.schemas import PAGES as TABLE
    from pipelines.output.shards import ShardWriter, write_documents

    chance, opened = random.Random(1), []
    samples = [fake_row(chance, words) for _ in range(500)]
    writer = ShardWriter(str(folder / "out"), "run-1", TABLE, 500)
    for number, file in enumerate(find_files(str(folder / "in"))):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        opened.append({"uri": file.uri, "sha256": sha256, **stamp_columns(file.stamp)})
        for page in range(PAGES):
            of = {"source_uri": file.uri, "source_sha256": sha256, "page_index": page, "run_id": "run-1"}
            list(writer.add({**chance.choice(samples), **of, "page_id": page_id(file.uri, sha256, page)}))
        if len(opened) == 10_000:
            write_documents(str(folder / "out"), "run-1", opened)
            opened = []
    list(writer.finish())
    write_documents(str(folder / "out"), "run-1", opened)


def commit(folder: Path, rows: int) -> None:
    """Makes the rows part of the output."""
    from pipelines.output.commit import commit_run
    from pipelines.output.run_manifest import Totals, read_description
    from pipelines.output.schemas import PAGES as TABLE
    from pipelines.output.shards import unfinished_shards

    output = str(folder / "out")
    shards = unfinished_shards(output, "run-1", TABLE)
    commit_run(output, read_description(output, "run-1"), shards, Totals(rows // PAGES, 0, rows))


def describe(folder: Path) -> None:
    """What ``pagebeam status`` does."""
    from pipelines.output.current_view import describe_output

    describe_output(str(folder / "out"))


def measure(step: str, folder: Path, rows: int, words: int) -> dict[str, Any]:
    """Runs a step in this process; returns its seconds, processor seconds, and peak memory in MB."""
    steps = {
        "list": lambda: plan(folder, "run-1"),
        "write": lambda: write(folder, words),
        "commit": lambda: commit(folder, rows),
        "again": lambda: plan(folder, "run-2"),
        "status": lambda: describe(folder),
    }
    start, cpu = time.perf_counter(), time.process_time()
    steps[step]()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": peak_mb}


def bytes_in(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Prints a line for each step at each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--words", type=int, default=300, help="of a row")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(measure(arguments.step, arguments.folder, arguments.rows[0], arguments.words)))
        return
    print("rows      step    seconds  CPU s   µs CPU/row  peak MB  output MB", flush=True)
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number in range(rows // PAGES):
                path = document(folder, number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"%PDF")
            for step in STEPS:
                command = [sys.executable, __file__, "--step", step, "--folder", name, "--rows", str(rows)]
                command += ["--words", str(arguments.words)]
                told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                numbers = (told["seconds"], told["cpu_s"], told["cpu_s"] / rows * 1e6, told["peak_mb"])
                shown = "{:7.1f} {:6.1f} {:12.0f} {:8.0f}".format(*numbers)
                print(f"{rows:<9} {step:<7} {shown} {bytes_in(folder / 'out') / 1e6:10.1f}", flush=True)


if __name__ == "__main__":
    main()
