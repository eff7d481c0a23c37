"""``pagebeam train onnx``: adds the ONNX file to the bundle of a detector or CRNN that has none, or writes it anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocr_models.bundle import find_bundle, set_onnx
from ocr_models.errors import UsageError
from ocr_models.terminal import announce, say

HELP = "the ONNX file of a detector or CRNN, which engines for CPUs read, for a bundle of an older version"


def add_onnx_parser(tasks: argparse._SubParsersAction) -> None:
    """Adds the parser of this task, which has none of the options of other tasks, because no network is trained."""
    parser = tasks.add_parser("onnx", help=HELP, description=f"Write {HELP}.")
    parser.add_argument("--output", required=True, type=Path, metavar="BUNDLE", help="an existing bundle")


def write_onnx(args: argparse.Namespace) -> int:
    """Runs the task; returns the exit status.

    Raises:
        UsageError: there is no such bundle, it is a shipped one, or its network has no ONNX form.
    """
    bundle = find_bundle(str(args.output.absolute()))  # a path, never a shipped name
    announce("pagebeam: loading Keras")
    from ocr_models.inference.keras_engine import load_keras_model
    from ocr_models.inference.onnx_export import export_onnx
    from ocr_models.training import tasks  # noqa: F401  registers the layers of all networks

    onnx = export_onnx(load_keras_model(bundle)) if bundle.config["task"] != "caption" else None
    if onnx is None:
        raise UsageError(f"{args.output}: only detectors and CRNNs have an ONNX form; {bundle.id} runs on Keras")
    written = set_onnx(bundle, onnx)
    say(f"bundle: {written.path} is now {written.id}")
    return 0
