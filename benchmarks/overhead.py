"""Measures the overhead of ``pagebeam run`` over a plain loop with one thread per core that reads the same pages.

    python benchmarks/overhead.py PAGES [--recognizer NAME|BUNDLE]

PAGES is a folder of about two hundred page images. The loop decodes and reads batches of eight, with one copy of the
models, and writes nothing. Both times exclude the start-up: the loop is timed after a first batch per thread, and the
time of a run over one page is subtracted from that of the run. Busy cores are measured for the whole machine, so
nothing else should run on it. Needs Linux.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from compare import run_pagebeam

from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.io.images import decode_image
from ocr_models.pages.page_reader import PageReader

_BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--recognizer", default=DEFAULT_BUNDLES["recognition"])
    arguments = parser.parse_args()
    pages = sorted(p for p in arguments.pages.iterdir() if p.is_file())
    loop_rate = _loop(pages, arguments.recognizer)
    with tempfile.TemporaryDirectory() as output:
        start_up = run_pagebeam(pages[:1], arguments.recognizer, Path(output))[0]
        busy = _busy_seconds()
        seconds = run_pagebeam(pages, arguments.recognizer, Path(output))[0]
        cores = (_busy_seconds() - busy) / seconds
    rate = (len(pages) - 1) / (seconds - start_up)
    print(f"pagebeam run {rate:6.2f} pages/s, {cores:.2f} cores busy, including its start-up of {start_up:.1f} s")
    print(f"the run takes {100 * (loop_rate / rate - 1):.1f} % more time than the loop")


def _loop(pages: list[Path], recognizer: str) -> float:
    """Prints and returns the pages per second of the plain loop."""
    reader = PageReader.load(DEFAULT_BUNDLES["detection"], recognizer)
    batches = [pages[start : start + _BATCH] for start in range(0, len(pages), _BATCH)]
    threads = os.cpu_count() or 1

    def read(batch: list[Path]) -> None:
        reader.read_pages([decode_image(page.read_bytes()).pixels for page in batch])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, batches[:threads]))
        start, busy = time.monotonic(), _busy_seconds()
        list(pool.map(read, batches))
        seconds = time.monotonic() - start
    rate = len(pages) / seconds
    print(f"plain loop   {rate:6.2f} pages/s, {(_busy_seconds() - busy) / seconds:.2f} cores busy")
    return rate


def _busy_seconds() -> float:
    """The time in seconds that all cores together were busy since the machine started."""
    with open("/proc/stat") as stat:
        user, nice, system = map(int, stat.readline().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
