"""Measures the sequence accuracy of ``pagebeam train mnist-rows`` on unseen digits, in rows of 3 to 7.

    python benchmarks/mnist_rows.py BUNDLE... --mnist DIR [--rows 2000] [--beam-width 1]

Rows are made of MNIST's test images and are the same for every bundle. A row is right if all its digits are.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ocr_models.bundle import find_bundle
from ocr_models.data.mnist.rows import held_out_rows
from ocr_models.recognition.text_recognizer import TextRecognizer
from ocr_models.training.mnist_rows_task import read_rows

_LENGTHS = range(3, 8)
_SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    parser.add_argument("--mnist", required=True, metavar="DIR", help="folder of MNIST's idx files")
    parser.add_argument("--rows", type=int, default=2000, metavar="N", help="of each length; default: %(default)s")
    parser.add_argument("--beam-width", type=int, default=1, metavar="N", help="default: %(default)s, greedy decoding")
    args = parser.parse_args()
    print("| | " + " | ".join(f"{length} digits" for length in _LENGTHS) + " |")
    print("|---" * (len(_LENGTHS) + 1) + "|")
    for path in args.bundles:
        bundle = find_bundle(str(path), "mnist-rows")
        recognizer = TextRecognizer.load(bundle, args.beam_width)
        shares = [
            read_rows(recognizer, held_out_rows(args.mnist, "test", length, args.rows, _SEED)).exact_share
            for length in _LENGTHS
        ]
        print(f"| {bundle.config['arch']} | " + " | ".join(f"{share:.4f}" for share in shares) + " |", flush=True)


if __name__ == "__main__":
    main()
