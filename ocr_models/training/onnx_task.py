"""``pagebeam train onnx``: writes the ONNX file of a detector or CRNN into its bundle, which may be an older one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ocr_models.bundle import DEFAULT_BUNDLES, Bundle, find_bundle, set_onnx
from ocr_models.errors import DocumentError, UsageError
from ocr_models.inference.engines import Forward, check_keras
from ocr_models.io.images import decode_image
from ocr_models.terminal import announce, say

if TYPE_CHECKING:
    from ocr_models.pages.page_reader import PageReader

HELP = "the ONNX file of a detector or CRNN, which is read on CPUs, in its bundle"
_MOST_SEEN = 64  # batches: more tell the ranges of values no better


def add_onnx_parser(tasks: argparse._SubParsersAction) -> None:
    """Adds the parser of this task, which has none of the options of other tasks, because no network is trained."""
    parser = tasks.add_parser("onnx", help=HELP, description=f"Write {HELP}.")
    parser.add_argument("--output", required=True, type=Path, metavar="BUNDLE", help="an existing bundle")
    parser.add_argument(
        "--pages",
        nargs="+",
        type=Path,
        default=(),
        metavar="FILE",
        help="pictures of pages such as the model will read, for convolutions in 8-bit numbers, which are nearly twice "
        "as fast; ten pages do; default: none, for floats",
    )


def write_onnx(args: argparse.Namespace) -> int:
    """Runs the task; returns the exit status.

    Raises:
        UsageError: there is no such bundle, it is a shipped one, its network has no ONNX form, or a page is broken.
    """
    check_keras("pagebeam train")
    bundle = find_bundle(str(args.output.absolute()))  # a path, never a shipped name
    pages = [_decode(path) for path in args.pages]
    announce("pagebeam: loading Keras")
    from ocr_models.inference.keras_engine import compile_forward, load_keras_model
    from ocr_models.inference.onnx_export import export_onnx
    from ocr_models.training import tasks  # noqa: F401  registers the layers of all networks

    if bundle.config["task"] == "caption" or len((network := load_keras_model(bundle)).inputs) != 1:
        raise UsageError(f"{args.output}: only detectors and CRNNs have an ONNX form; {bundle.id} runs on Keras")
    onnx = export_onnx(network, _what_it_sees(bundle, compile_forward(network), pages))
    assert onnx
    written = set_onnx(bundle, onnx)
    say(f"bundle: {written.path} is now {written.id}")
    return 0


def _decode(path: Path) -> np.ndarray:
    try:
        return decode_image(path.read_bytes()).pixels
    except (OSError, DocumentError) as error:
        raise UsageError(f"--pages {path}: can't be read: {error}; give pictures of pages") from error


def _what_it_sees(bundle: Bundle, forward: Forward, pages: Sequence[np.ndarray]) -> list[Any]:
    """The batches that a network is given when pages are read with it and, for the other task, the default model."""
    seen: list[Any] = []

    def watched(batch: Any) -> Any:
        seen.append(np.array(batch))
        return forward(batch)

    reader = _reader_with(bundle, watched) if pages else None
    for page in pages:
        assert reader
        reader.read_pages([page])
    return seen[:: -(-len(seen) // _MOST_SEEN) or 1]


def _reader_with(bundle: Bundle, forward: Forward) -> PageReader:
    from ocr_models.charset import Charset
    from ocr_models.detection.text_detector import TextDetector
    from ocr_models.pages.page_reader import PageReader
    from ocr_models.recognition.text_recognizer import TextRecognizer, read_by_ctc

    detector, recognizer = (find_bundle(DEFAULT_BUNDLES[task], task) for task in ("detection", "recognition"))
    if bundle.config["task"] == "detection":
        models = TextDetector(forward), TextRecognizer.load(recognizer)
    else:
        recognizer, charset = bundle, Charset.load(bundle.charset_path)
        models = TextDetector.load(detector), TextRecognizer(read_by_ctc(forward, charset), charset)
    return PageReader(*models, detector.id, recognizer.id, reads_lines=recognizer.reads_lines)
