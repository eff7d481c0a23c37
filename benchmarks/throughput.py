"""Pages a second and peak memory of ``pagebeam run`` against Tesseract, in one run on one machine.

    python benchmarks/throughput.py PAGES [--rounds 3] [--keep DIR]

PAGES is a folder of page images. Both use all cores: Tesseract as one process a core with one thread each, its best
throughput. Pagebeam's rate is taken beyond its start-up: the time of all pages less the time of one, which is shown.
The two take turns, and the medians are compared. Needs Linux and Debian's tesseract-ocr.
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
from pathlib import Path

_SAMPLE_S = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep what both read, in DIR/pagebeam and DIR/tesseract"
    )
    arguments = parser.parse_args()
    pages = sorted(p for p in arguments.pages.iterdir() if p.is_file())
    if len(pages) < 2:
        sys.exit(f"{arguments.pages}: at least 2 page images are needed")
    keep = arguments.keep or Path(tempfile.mkdtemp())
    compare(pages, arguments.rounds, keep)


def compare(pages: list[Path], rounds: int, keep: Path) -> None:
    """Measures both in turn and prints a table."""
    start_ups, totals, peaks, peer = [], [], [], []
    for _ in range(rounds):
        start_ups.append(run_pagebeam(pages[:1], keep / "one")[0])
        seconds, peak = run_pagebeam(pages, keep / "pagebeam")
        totals.append(seconds)
        peaks.append(peak)
        if shutil.which("tesseract"):
            peer.append(run_tesseract(pages, keep / "tesseract"))
    start_up = statistics.median(start_ups)
    rate = (len(pages) - 1) / (statistics.median(totals) - start_up)
    print(f"{len(pages)} pages, {os.cpu_count()} cores, medians of {rounds} rounds")
    print(f"pagebeam   {rate:6.2f} pages/s beyond a start-up of {start_up:.1f} s (a run over one page)")
    print(f"           {len(pages) / statistics.median(totals):6.2f} pages/s with it")
    print(f"           {max(peaks) / 2**30:6.2f} GiB peak memory of all its processes")
    if peer:
        peer_rate = len(pages) / statistics.median(peer)
        print(f"tesseract  {peer_rate:6.2f} pages/s\nratio      {rate / peer_rate:6.2f}")
    else:
        print("tesseract  not installed (apt-get install tesseract-ocr)")


def run_pagebeam(pages: list[Path], output: Path) -> tuple[float, int]:
    """Seconds and peak bytes of one whole command."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "pipelines.cli", "run", *map(str, pages), "--output", str(output)]
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
