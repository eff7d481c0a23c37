"""Compares word F1, pages per second and peak memory of ``pagebeam run`` with its peers on one machine.

    python benchmarks/compare.py [SET ...] [--speed PAGES] [--recognizer NAME|BUNDLE ...] [--rapidocr PYTHON]

A SET is "IMAGES=TRUTH", or "IMAGES=TRUTH=casefold" to ignore case: a folder of images, and one with a JSON file for
each page, {"words": [{"text": ...}]}. All readers read each set in turn. A word counts if it has a letter or digit,
regardless of its place on the page. PAGES is a folder of about two hundred images, to compare rates with Tesseract over
more pages than the sets have. Pagebeam reads copies of a file once: if PAGES repeats some, add a byte to the end of
each (PNG ignores it).

All readers use all cores: Tesseract as one process per core with one thread each, which has the highest throughput;
RapidOCR (PP-OCR on ONNX Runtime) with its defaults, in a Python that has it (``pip install rapidocr onnxruntime``).
Rates exclude the start-up: Pagebeam's are from the time of all pages less that of one page, which is measured first;
RapidOCR's are from the time after loading its models. Needs Linux and Debian's tesseract-ocr.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow.dataset as ds

from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.metrics.matches import MatchCounts
from ocr_models.metrics.text import counted_words

_SAMPLE_S = 1.0  # the kernel walks all pages of a process for a sample, which slows the process down
_RAPIDOCR = """
import pathlib, sys, time
from rapidocr import RapidOCR
engine, out = RapidOCR(), pathlib.Path(sys.argv[1])
start = time.monotonic()
for page in sys.argv[2:]:
    (out / (pathlib.Path(page).stem + ".txt")).write_text("\\n".join(engine(page).txts or []))
print(time.monotonic() - start)
"""


@dataclass(frozen=True)
class Set:
    """Pages with the words on them."""

    name: str
    pages: list[Path]
    truth: Path
    casefold: bool

    @classmethod
    def parse(cls, argument: str) -> Set:
        images, truth, *casefold = argument.split("=")
        folder = Path(images)
        name = folder.parent.name if folder.name == "images" else f"{folder.parent.name} {folder.name}"
        return cls(name, _files(folder), Path(truth), bool(casefold))

    def score(self, texts: dict[str, str]) -> MatchCounts:
        """Counts the words read, given the text of each page by its file stem."""
        counts = MatchCounts()
        for page in self.pages:
            words = json.loads((self.truth / f"{page.stem}.json").read_text())["words"]
            true = counted_words(" ".join(word["text"] for word in words), self.casefold)
            read = counted_words(texts.get(page.stem, ""), self.casefold)
            counts += MatchCounts((Counter(true) & Counter(read)).total(), len(read), len(true))
        return counts


@dataclass(frozen=True)
class Reading:
    """The result of a reader.

    Attributes:
        rate: pages per second, without the start-up.
        texts: the text of each page by its file stem.
        note: other measurements, in words.
    """

    rate: float
    texts: dict[str, str]
    note: str = ""


_Reader = Callable[[list[Path], Path], Reading]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Set.parse, metavar="SET")
    parser.add_argument("--speed", type=Path, metavar="PAGES", help="folder of page images to measure rates with")
    parser.add_argument(
        "--recognizer", nargs="+", default=[DEFAULT_BUNDLES["recognition"]], help="one or more; default: %(default)s"
    )
    parser.add_argument("--rapidocr", metavar="PYTHON", help="a Python with rapidocr; without it, RapidOCR is left out")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the output there, in a folder for each reader and set"
    )
    arguments = parser.parse_args()
    if not arguments.sets and not arguments.speed:
        parser.error("give a SET, --speed PAGES, or both")
    with tempfile.TemporaryDirectory() as folder:
        _compare(arguments, arguments.keep or Path(folder))


def _compare(arguments: argparse.Namespace, keep: Path) -> None:
    readers = _readers(arguments)
    if arguments.sets:
        print(f"word F1 (pages/s)\n| | {' | '.join(readers)} |\n|---|{'---|' * len(readers)}", flush=True)
    for pages in arguments.sets:
        readings = [read(pages.pages, keep / name / pages.name) for name, read in readers.items()]
        cells = [f"{pages.score(reading.texts).f_score:.4f} ({reading.rate:.2f})" for reading in readings]
        print(f"| {pages.name} | {' | '.join(cells)} |", flush=True)
    if arguments.speed:
        readers.pop("rapidocr", None)  # it would take as long as all others
        _print_rates(readers, _files(arguments.speed), keep)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file())


def _readers(arguments: argparse.Namespace) -> dict[str, _Reader]:
    readers: dict[str, _Reader] = {}
    first_page = (_files(arguments.speed) if arguments.speed else arguments.sets[0].pages)[0]
    for recognizer in arguments.recognizer:
        readers[Path(recognizer).name] = _pagebeam(recognizer, first_page)
    if shutil.which("tesseract"):
        readers["tesseract"] = run_tesseract
    if arguments.rapidocr:
        readers["rapidocr"] = _rapidocr(arguments.rapidocr)
    return readers


def _print_rates(readers: dict[str, _Reader], pages: list[Path], keep: Path) -> None:
    print(f"\n{len(pages)} pages, {os.cpu_count()} cores")
    rates = {}
    for name, read in readers.items():
        reading = read(pages, keep / name / "speed")
        rates[name] = reading.rate
        print(f"{name:12} {reading.rate:6.2f} pages/s{reading.note}", flush=True)
    for name, rate in rates.items():
        print(
            f"{name}: {', '.join(f'{rate / other:.2f} times {peer}' for peer, other in rates.items() if peer != name)}"
        )


def _pagebeam(recognizer: str, first_page: Path) -> _Reader:
    @functools.cache
    def start_up(output: Path) -> float:
        return statistics.median(run_pagebeam([first_page], recognizer, output)[0] for _ in range(3))

    def read(pages: list[Path], output: Path) -> Reading:
        start = start_up(output.parent / "one")
        seconds, peak = run_pagebeam(pages, recognizer, output)
        table = ds.dataset(output / "pages", format="parquet").to_table(columns=["source_uri", "words"])
        texts = {
            Path(row["source_uri"]).stem: " ".join(word["text"] for word in row["words"] or [])
            for row in table.to_pylist()
        }
        note = f" without a start-up of {start:.1f} s (a run over one page); {len(pages) / seconds:.2f} with it; "
        note += f"peak memory of all its processes {peak / 2**30:.2f} GiB"
        return Reading((len(pages) - 1) / (seconds - start), texts, note)

    return read


def _rapidocr(python: str) -> _Reader:
    def read(pages: list[Path], output: Path) -> Reading:
        output.mkdir(parents=True, exist_ok=True)
        command = [python, "-c", _RAPIDOCR, str(output), *map(str, pages)]
        seconds = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        return Reading(len(pages) / float(seconds.stdout.split()[-1]), _texts(output, pages))

    return read


def _texts(output: Path, pages: list[Path]) -> dict[str, str]:
    return {page.stem: (output / f"{page.stem}.txt").read_text(errors="replace") for page in pages}


def run_pagebeam(pages: list[Path], recognizer: str, output: Path) -> tuple[float, int]:
    """Runs the whole command; returns its seconds and peak bytes."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "pipelines.cli.main", "run", *map(str, pages)]
    command += ["--recognizer", recognizer, "--output", str(output)]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    watch = _MemoryWatch(process.pid)
    watch.start()
    status = process.wait()
    seconds = time.monotonic() - start
    watch.stop()
    if status not in (0, 3):
        sys.exit(f"pagebeam run ended with status {status}")
    return seconds, watch.peak


def run_tesseract(pages: list[Path], output: Path) -> Reading:
    """Runs Tesseract with one process per core."""
    output.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}

    def read(page: Path) -> None:
        command = ["tesseract", str(page), str(output / page.stem), "--dpi", "200", "-l", "eng"]
        subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=True)

    start = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(read, pages))
    return Reading(len(pages) / (time.monotonic() - start), _texts(output, pages))


class _MemoryWatch(threading.Thread):
    """Samples the memory of a process and its descendants; shared pages are counted once (PSS)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._pid, self._done = pid, threading.Event()

    def run(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            self.peak = max(self.peak, sum(_pss(pid) for pid in _family(self._pid)))

    def stop(self) -> None:
        self._done.set()
        self.join()


def _family(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:  # it has ended
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return family


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
