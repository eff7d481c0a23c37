"""How time, memory and bytes grow with the number of pages, in all that a run does besides decoding and reading them.

Each step runs in a process of its own, whose peak memory is that of the step: the files are listed and compared with
what is known (``list``), the documents are split into ranges, shuffled, and made rows of 300 words, which are packed
and written to shards (``write``) and committed (``commit``, in the same process), the next run lists and finds nothing
new (``again``), the output is described (``status``) and exported as text (``export``). A document has ten pages.

    python benchmarks/growth.py --rows 10000 100000 1000000 --results docs/growth.csv
    python benchmarks/growth.py --rows 10000000 --words 0 --results docs/growth.csv
    python benchmarks/growth.py --results docs/growth.csv --plot docs/growth.svg

With ``--words 0``, rows have the columns that a commit looks at and no others, and are written without Beam and without
being measured: so ten million fit on a disk.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

PAGES = 10
RUN = "20260101T000000.000Z-000001"
ALL_STEPS = ("list", "write", "again", "status", "export")


@dataclass
class Result:
    """What a step needed.

    Attributes:
        rows: number of rows of the output.
        words: of each row.
        step: the step.
        seconds: wall time.
        cpu_s: processor time.
        peak_mb: peak of the resident memory of its process, in MB of 10^6 bytes.
        output_mb: bytes of the output after it, in MB.
        first_row_s: from the start of the run to its first file of rows, of the step that writes them.
    """

    rows: int
    words: int
    step: str
    seconds: float
    cpu_s: float
    peak_mb: float
    output_mb: float = 0.0
    first_row_s: float | None = None


class Meter:
    """Measures this process from one ``lap`` to the next."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back, see proc(5)
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self) -> dict[str, float]:
        seconds, cpu_s = time.perf_counter() - self._wall, time.process_time() - self._cpu
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        self._start()
        return {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": int(status["VmHWM"].split()[0]) * 1024 / 1e6}


def fake_columns(chance: random.Random, count: int) -> dict[str, Any]:
    """The columns of a page of so many words, in lines of ten and blocks of five lines."""
    words = ["".join(chance.choices("etaoinshrdlucmfw", k=chance.randint(2, 9))) for _ in range(count)]
    quads = [[float(chance.randint(0, 13600)) / 8 for _ in range(8)] for _ in range(count)]
    lines = [" ".join(words[start : start + 10]) for start in range(0, count, 10)]
    blocks = range(0, len(lines), 5)
    return {
        "width_px": 1654,
        "height_px": 2339,
        "dpi": 200.0,
        "rotation_deg": 0,
        "status": "ok",
        "text": "\n\n".join("\n".join(lines[start : start + 5]) for start in blocks),
        "mean_confidence": 0.9,
        "words": [
            {"text": text, "confidence": 0.9, "quad": quad, "line": number // 10, "in_text": True}
            for number, (text, quad) in enumerate(zip(words, quads, strict=True))
        ],
        "lines": [
            {"text": text, "quad": quads[number], "confidence": 0.9, "block": number // 5}
            for number, text in enumerate(lines)
        ],
        "blocks": [
            {"kind": "text", "quad": quads[start], "level": None, "column": 0, "cells": None} for start in blocks
        ],
        "text_source": "ocr",
        "is_complete": True,
        "words_left_out": 0,
        "unknown_script_share": 0.0,
        **{name: "fake@0" for name in ("detector_id", "recognizer_id", "engine")},
        "elapsed_ms": 1.0,
    }


def fake_row(columns: dict[str, Any], document: Any, index: int) -> dict[str, Any]:
    """All columns of a page but ``run_id``."""
    from pipelines.inputs.page_ranges import page_id
    from pipelines.output.schemas import PAGES as TABLE

    return {
        **columns,
        "page_id": page_id(document.uri, document.sha256, index),
        "source_uri": document.uri,
        "also_at": document.also_at,
        "input_id": f"id-{document.sha256[:12]}",
        "source_sha256": document.sha256,
        "source_kind": "pdf",
        "page_index": index,
        "page_count": document.page_count,
        "schema_version": TABLE.version,
        "reader_id": "0" * 16,
    }


def fake_open(file: Any, *_: Any) -> Iterator[Any]:
    """Stands for ``open_document``: the page ranges of a PDF that isn't looked at."""
    from ocr_models.io.documents import DocumentKind
    from pipelines.inputs.page_ranges import Document, DocumentPlace, split_pages

    sha256 = hashlib.sha256(file.uri.encode()).hexdigest()
    yield from split_pages(Document(file.uri, sha256, DocumentKind.PDF, PAGES, places=(DocumentPlace.of(file),)))


def planned(folder: Path, run_id: str) -> Any:
    """Lists the files, and writes those that aren't known among the unfinished ones of a run; returns the plan."""
    from pipelines.output.run_manifest import RunDescription, write_description
    from pipelines.output.schemas import PAGES as TABLE
    from pipelines.reading.plan import Planner
    from pipelines.reading.run_options import Rereading

    planner = Planner([str(folder / "in")], str(folder / "out"), TABLE, "0" * 16, Rereading())
    plan = planner.plan(run_id)
    write_description(str(folder / "out"), RunDescription(run_id, found=plan.found, reader_id="0" * 16))
    return plan


def fake_pages(words: int) -> Any:
    """Stands for ``ReadPages``: page ranges → rows, in no time."""
    import apache_beam as beam

    class FakeReadFn(beam.DoFn):
        def setup(self) -> None:
            self._chance = random.Random(1)
            self._samples = [fake_columns(self._chance, words) for _ in range(50)]

        def process(self, page_range: Any) -> Iterator[dict[str, Any]]:
            for index in range(page_range.start, page_range.stop):
                yield fake_row(self._chance.choice(self._samples), page_range.document, index)

    @dataclass
    class FakePages(beam.PTransform):
        stop: Any = None
        folders: tuple[str, ...] = ()

        def expand(self, page_ranges: beam.PCollection) -> beam.PCollection:
            return page_ranges | "Read" >> beam.ParDo(FakeReadFn())

    return FakePages()


def list_inputs(folder: Path, meter: Meter) -> dict[str, Any]:
    """Plans the run; the plan goes to a file."""
    plan = planned(folder, RUN)
    (folder / "plan.json").write_text(json.dumps({"found": asdict(plan.found), "worklist": plan.worklist}))
    return {"list": meter.lap()}


def write_rows(folder: Path, meter: Meter, words: int) -> dict[str, Any]:
    """Makes rows of all pages of the plan and commits them, as a local run does."""
    from pipelines.inputs import transforms as inputs
    from pipelines.output.lock import locked
    from pipelines.output.output_folder import unfinished_folder
    from pipelines.output.run_manifest import Found, read_description
    from pipelines.output.shards import ROWS
    from pipelines.reading import pipeline, transforms
    from pipelines.reading.plan import Plan
    from pipelines.reading.run_options import OcrOptions
    from pipelines.runtime.stopping import StopFile

    output, laps = str(folder / "out"), {}
    told = json.loads((folder / "plan.json").read_text())
    plan = Plan(Found(**told["found"]), told["worklist"])
    commit = transforms.commit_run

    def measured_commit(*arguments: Any) -> Any:
        shards = (folder / "out" / unfinished_folder(RUN) / ROWS).iterdir()
        laps["write"] = {**meter.lap(), "first_row_s": min(path.stat().st_mtime for path in shards) - start}
        return commit(*arguments)

    inputs.open_document, inputs.shared_pool = fake_open, lambda limits: None
    pipeline.make_read_pages = lambda *_: fake_pages(words)
    transforms.commit_run = measured_commit
    start = time.time()
    with locked(output, RUN, False, lambda holder: None):
        options = OcrOptions(inputs=[], output=output, workers=2)
        pipeline.read_plan(options, output, read_description(output, RUN), plan, StopFile(f"{output}/stop"))
    return {**laps, "commit": meter.lap()}


def write_keys(folder: Path, meter: Meter, rows: int) -> dict[str, Any]:
    """Writes rows with the columns that a commit looks at, 20,000 to a shard, and commits them."""
    import pyarrow as pa

    from pipelines.inputs.discovery import find_files
    from pipelines.inputs.page_ranges import page_id
    from pipelines.output.commit import commit_run
    from pipelines.output.documents_table import stamp_columns
    from pipelines.output.lock import locked
    from pipelines.output.output_folder import unfinished_folder
    from pipelines.output.row_changes import align
    from pipelines.output.run_manifest import Totals, read_description
    from pipelines.output.schemas import PAGES as TABLE
    from pipelines.output.shards import ROWS, write_documents, write_shard

    output, shards, documents = str(folder / "out"), [], []
    for number, file in enumerate(find_files(str(folder / "in"))):
        sha256 = hashlib.sha256(file.uri.encode()).hexdigest()
        documents.append({"uri": file.uri, "sha256": sha256, "input_id": str(number), **stamp_columns(file.stamp)})
        if len(documents) < 2000 and number < rows // PAGES - 1:
            continue
        of = [(document, index) for document in documents for index in range(PAGES)]
        same = {"source_kind": "pdf", "page_count": PAGES, "status": "ok", "reader_id": "0" * 16, "run_id": RUN}
        same |= {"schema_version": TABLE.version, "mean_confidence": 0.9, "elapsed_ms": 1.0, "also_at": []}
        same |= dict.fromkeys(("detector_id", "recognizer_id", "engine"), "fake@0")
        columns = {name: [value] * len(of) for name, value in same.items()}
        columns["page_id"] = [page_id(document["uri"], document["sha256"], index) for document, index in of]
        columns["page_index"] = [index for _, index in of]
        for name, of_document in (("source_uri", "uri"), ("source_sha256", "sha256"), ("input_id", "input_id")):
            columns[name] = [document[of_document] for document, _ in of]
        schema = pa.schema([TABLE.schema.field(name) for name in columns])
        table = align(pa.table(columns, schema), TABLE.schema)
        path = f"{unfinished_folder(RUN)}/{ROWS}/{len(shards):06d}.parquet"
        shards.append(write_shard(output, path, TABLE, [table]))
        write_documents(output, RUN, documents)
        documents = []
    meter.lap()
    with locked(output, RUN, False, lambda holder: None):
        commit_run(output, read_description(output, RUN), shards, Totals(rows // PAGES, rows))
    return {"commit": meter.lap()}


def list_again(folder: Path, meter: Meter) -> dict[str, Any]:
    """Plans another run."""
    plan = planned(folder, "20260102T000000.000Z-000002")
    assert not plan.found.to_open
    return {"again": meter.lap()}


def describe(folder: Path, meter: Meter) -> dict[str, Any]:
    """What ``pagebeam status`` does."""
    from pipelines.output.current_view import describe_output

    describe_output(str(folder / "out"))
    return {"status": meter.lap()}


def export_text(folder: Path, meter: Meter) -> dict[str, Any]:
    """What ``pagebeam export --format txt`` does."""
    from pipelines.export.export import export
    from pipelines.export.export_formats import FORMATS

    export(str(folder / "out"), FORMATS["txt"], str(folder / "export"))
    return {"export": meter.lap()}


def measure(step: str, folder: Path, rows: int, words: int) -> dict[str, Any]:
    """Runs a step in this process; returns what it, or each of its phases, needed."""
    meter = Meter()
    if step == "list":
        return list_inputs(folder, meter)
    if step == "write":
        return write_rows(folder, meter, words) if words else write_keys(folder, meter, rows)
    return {"again": list_again, "status": describe, "export": export_text}[step](folder, meter)


def bytes_in(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def make_inputs(folder: Path, documents: int) -> None:
    """Writes the documents, a thousand to a folder, which are one file of many names, for the disk's sake."""
    from ocr_models.io.hashing import CLOCK_TICK_NS

    for number in range(documents):
        path = folder / f"in/{number // 1000:05d}/{number % 1000:03d}.pdf"
        if number % 1000:
            os.link(path.with_name("000.pdf"), path)
        else:
            path.parent.mkdir(parents=True)
            path.write_bytes(b"%PDF")
    time.sleep(2 * CLOCK_TICK_NS / 1e9)  # else the last ones would be hashed again, as they may have changed since


def grow(rows: int, words: int, steps: list[str], folder: Path) -> Iterator[Result]:
    """Takes the steps, each in a process of its own."""
    make_inputs(folder, rows // PAGES)
    for step in steps:
        command = [sys.executable, __file__, "--step", step, "--folder", str(folder), "--rows", str(rows)]
        done = subprocess.run([*command, "--words", str(words)], check=True, stdout=subprocess.PIPE)
        output_mb = bytes_in(folder / "out") / 1e6
        for name, needed in json.loads(done.stdout.splitlines()[-1]).items():
            yield Result(rows, words, name, output_mb=output_mb, **needed)


def plot(results: list[dict[str, str]], path: Path) -> None:
    """Draws processor time and peak memory over the number of rows."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    _, panes = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    steps = list(dict.fromkeys(result["step"] for result in results))
    for pane, column, title in zip(
        panes, ("cpu_s", "peak_mb"), ("processor time (s)", "peak memory (MB)"), strict=True
    ):
        for number, step in enumerate(steps):
            for few, style in ((False, "o-"), (True, "s--")):
                of = [result for result in results if result["step"] == step and (result["words"] == "0") == few]
                points = sorted((int(result["rows"]), float(result[column])) for result in of)
                label = f"{step}, keys only" if few else step
                if points:
                    pane.plot(*zip(*points, strict=True), style, color=f"C{number}", label=label, markersize=4)
        pane.set(xscale="log", yscale="log", xlabel="rows", title=title)
        pane.grid(alpha=0.3)
    panes[1].axhline(2000, color="gray", linewidth=0.8)
    panes[1].annotate("2 GB", (1e4, 2000), va="bottom", color="gray")
    panes[0].legend(fontsize=8)
    pyplot.savefig(path, metadata={"Date": None})


def main() -> None:
    """Prints a line for each step at each number of rows, and adds it to a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[], help="such as 10000 100000")
    parser.add_argument("--words", type=int, default=300, help="of a row; default: %(default)s")
    parser.add_argument("--steps", choices=ALL_STEPS, nargs="+", default=list(ALL_STEPS))
    parser.add_argument("--results", type=Path, default=Path("growth.csv"), help="default: %(default)s")
    parser.add_argument("--plot", type=Path, metavar="SVG", help="draws the results")
    parser.add_argument("--step", choices=ALL_STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(measure(arguments.step, arguments.folder, arguments.rows[0], arguments.words)))
        return
    print("rows      words  step    seconds  CPU s   µs CPU/row  peak MB  output MB", flush=True)
    names = [of.name for of in fields(Result)]
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="growth-") as name, arguments.results.open("a", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            if not file.tell():
                lines.writerow(names)
            for result in grow(rows, arguments.words, arguments.steps, Path(name)):
                lines.writerow(round(value, 3) if isinstance(value, float) else value for value in astuple(result))
                file.flush()
                numbers = (result.seconds, result.cpu_s, result.cpu_s / rows * 1e6, result.peak_mb, result.output_mb)
                shown = "{:7.1f} {:6.1f} {:12.0f} {:8.0f} {:10.1f}".format(*numbers)
                print(f"{rows:<9} {arguments.words:<6} {result.step:<7} {shown}", flush=True)
    if arguments.plot:
        with arguments.results.open(newline="") as file:
            plot(list(csv.DictReader(file)), arguments.plot)


if __name__ == "__main__":
    main()
