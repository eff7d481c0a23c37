"""Pages a second and peak memory of ``pagebeam run`` against Tesseract, in one run on one machine.

    python benchmarks/throughput.py PAGES [--recognizer NAME|BUNDLE ...] [--rounds 3] [--keep DIR]

PAGES is a folder of page images. All use all cores: Tesseract as one process a core with one thread each, its best
throughput. Pagebeam's rate is taken beyond its start-up: the time of all pages less the time of one, which is shown.
The recognizers and Tesseract take turns, and the medians are compared. Needs Linux and Debian's tesseract-ocr.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ocr_models.bundle import DEFAULT_BUNDLES

_SAMPLE_S = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument(
        "--recognizer", nargs="+", default=[DEFAULT_BUNDLES["recognition"]], help="one or several; default: %(default)s"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep what was read, in DIR/tesseract and a folder a recognizer"
    )
    arguments = parser.parse_args()
    pages = sorted(p for p in arguments.pages.iterdir() if p.is_file())
    if len(pages) < 2:
        sys.exit(f"{arguments.pages}: at least 2 page images are needed")
    keep = arguments.keep or Path(tempfile.mkdtemp())
    compare(pages, arguments.recognizer, arguments.rounds, keep)


@dataclass
class Runs:
    """Seconds over one page and over all, and peak bytes, of each round with a recognizer."""

    start_ups: list[float] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def rate(self, pages: int) -> float:
        """Pages a second beyond the start-up."""
        return (pages - 1) / (statistics.median(self.totals) - statistics.median(self.start_ups))


def compare(pages: list[Path], recognizers: list[str], rounds: int, keep: Path) -> None:
    """Measures all in turn and prints a table."""
    runs = {recognizer: Runs() for recognizer in recognizers}
    peer = []
    for _ in range(rounds):
        for recognizer, of_recognizer in runs.items():
            of_recognizer.start_ups.append(run_pagebeam(pages[:1], recognizer, keep / "one")[0])
            seconds, peak = run_pagebeam(pages, recognizer, keep / Path(recognizer).name)
            of_recognizer.totals.append(seconds)
            of_recognizer.peaks.append(peak)
        if shutil.which("tesseract"):
            peer.append(run_tesseract(pages, keep / "tesseract"))
    print(f"{len(pages)} pages, {os.cpu_count()} cores, medians of {rounds} rounds")
    peer_rate = len(pages) / statistics.median(peer) if peer else None
    if peer_rate:
        print(f"tesseract    {peer_rate:6.2f} pages/s")
    else:
        print("tesseract    not installed (apt-get install tesseract-ocr)")
    for recognizer, of_recognizer in runs.items():
        _print_runs(recognizer, of_recognizer, len(pages), peer_rate)


def _print_runs(recognizer: str, runs: Runs, pages: int, peer_rate: float | None) -> None:
    rate, start_up = runs.rate(pages), statistics.median(runs.start_ups)
    print(f"{Path(recognizer).name:12} {rate:6.2f} pages/s beyond a start-up of {start_up:.1f} s (a run over one page)")
    if peer_rate:
        print(f"             {rate / peer_rate:6.2f} times tesseract")
    print(f"             {pages / statistics.median(runs.totals):6.2f} pages/s with the start-up")
    print(f"             {max(runs.peaks) / 2**30:6.2f} GiB peak memory of all its processes")


def run_pagebeam(pages: list[Path], recognizer: str, output: Path) -> tuple[float, int]:
    """Seconds and peak bytes of one whole command."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "pipelines.cli", "run", *map(str, pages)]
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


def run_tesseract(pages: list[Path], output: Path) -> float:
    """Seconds that one process a core takes for all pages."""
    output.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}

    def read(page: Path) -> None:
        command = ["tesseract", str(page), str(output / page.stem), "--dpi", "200", "-l", "eng"]
        subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=True)

    start = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(read, pages))
    return time.monotonic() - start


class _MemoryWatch(threading.Thread):
    """Samples the memory of a process and its descendants; shared pages are counted once (PSS)."""

    def __init__(self, pid: int):
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
        except OSError:  # it ended meanwhile
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
