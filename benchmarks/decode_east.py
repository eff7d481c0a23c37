"""Times making targets, and restoring and merging boxes, for a page of 1,000 words.

python benchmarks/decode_east.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from ocr_models.detection.decode_maps import decode_east
from ocr_models.detection.targets import make_targets

HEIGHT, WIDTH = 1152, 832
WORDS_A_LINE, LINES = 13, 77
NOISE_PX = 0.5


def page_of_words(rng: np.random.Generator) -> np.ndarray:
    """Quads (1001, 4, 2) of level words, 30 to 58 by 11 pixels, in even lines."""
    left = np.tile(10 + 62.0 * np.arange(WORDS_A_LINE), LINES)
    top = np.repeat(5 + 14.8 * np.arange(LINES), WORDS_A_LINE)
    right, bottom = left + rng.uniform(30, 58, left.size), top + 11
    return np.stack([left, top, right, top, right, bottom, left, bottom], axis=-1).reshape(-1, 4, 2)


def median_ms(function: Callable[[], object], repeats: int = 20) -> float:
    """The median time of a call in milliseconds, without the first call."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rng = np.random.default_rng(0)
    quads = page_of_words(rng)
    ignore = np.zeros(len(quads), bool)
    score_map, geometry_map, _ = make_targets(quads, ignore, HEIGHT, WIDTH, shrink_ratio=0.1)
    noisy = geometry_map + rng.normal(0, NOISE_PX, geometry_map.shape).astype(np.float32) * (1, 1, 1, 1, 0.01)
    noisy = noisy.astype(np.float32)
    found, _ = decode_east(score_map, noisy)
    print(f"{len(quads)} words, {int(score_map.sum())} positive cells, {len(found)} words found")
    print(f"make_targets {median_ms(lambda: make_targets(quads, ignore, HEIGHT, WIDTH)):.1f} ms")
    print(f"decode_east  {median_ms(lambda: decode_east(score_map, noisy)):.1f} ms")


if __name__ == "__main__":
    main()
