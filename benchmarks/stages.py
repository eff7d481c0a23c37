"""Measures the milliseconds per page of each stage of reading, in one stream of pages (a run has one per core).

    python benchmarks/stages.py PAGES [--detector NAME|BUNDLE] [--recognizer NAME|BUNDLE]

PAGES is a folder of page images. They are read in batches of eight, as by the pipeline. The first batch, in which
functions are compiled, isn't counted.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ocr_models.bundle import DEFAULT_BUNDLES
from ocr_models.detection import text_detector
from ocr_models.io.images import decode_image
from ocr_models.pages import found_page, page_reader
from ocr_models.recognition import text_recognizer

_BATCH = 8
_seconds: dict[str, float] = defaultdict(float)


def _timed(name: str, function: Callable) -> Callable:
    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            _seconds[name] += time.perf_counter() - start

    return timed


@functools.partial(_timed, "decode")
def _decode(files: list[Path]) -> list[np.ndarray]:
    return [decode_image(file.read_bytes()).pixels for file in files]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--detector", default=DEFAULT_BUNDLES["detection"])
    parser.add_argument("--recognizer", default=DEFAULT_BUNDLES["recognition"])
    arguments = parser.parse_args()
    reader = page_reader.PageReader.load(arguments.detector, arguments.recognizer)
    _watch_stages(reader)
    files = sorted(p for p in arguments.pages.iterdir() if p.is_file())
    words = pages = 0
    for start in range(0, len(files), _BATCH):
        images = _decode(files[start : start + _BATCH])
        read = _timed("all of reading", reader.read_pages)(images)
        if start == 0:
            _seconds.clear()
            continue
        pages += len(images)
        words += sum(len(page.words) for page in read)
    _print_table(pages, words)


def _watch_stages(reader: page_reader.PageReader) -> None:
    """Wraps the functions of the stages with timers."""
    reader._finder._detector._forward = _timed("detect: network", reader._finder._detector._forward)
    reader._recognizer._read_batch = _timed("read: network and decoding", reader._recognizer._read_batch)
    text_recognizer.greedy_decode = _timed("read: CTC decoding, of that", text_recognizer.greedy_decode)
    reader._recognizer.read = _timed("read: all", reader._recognizer.read)  # type: ignore[method-assign]
    text_detector.decode_east = _timed("detect: restore and merge", text_detector.decode_east)
    found_page.level_page = _timed("level the page", found_page.level_page)
    found_page.fit_words = _timed("fit to the ink", found_page.fit_words)
    page_reader.cut_words = _timed("cut words", page_reader.cut_words)
    page_reader.assemble = _timed("lines, order, text", page_reader.assemble)


def _print_table(pages: int, words: int) -> None:
    print(f"{pages} pages, {words / pages:.0f} words per page, {os.cpu_count()} cores")
    for name, seconds in sorted(_seconds.items(), key=lambda item: -item[1]):
        print(f"{1000 * seconds / pages:8.1f} ms a page  {name}")


if __name__ == "__main__":
    main()
