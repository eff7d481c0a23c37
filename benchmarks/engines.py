"""Compares the engines that compute the networks: word F1, processor time a page, start, and size of what is installed.

    python benchmarks/engines.py SET... [--detector BUNDLE] [--recognizer BUNDLE] [--readers NAME...]

A SET is what benchmarks/compare.py takes. Each reader gets a process of its own, and reads all pages in batches of
eight in one thread, those of the first set twice, the first time without measuring. "int8" readers use the ONNX file of
the bundle as it is, "float" ones one written anew without the ranges of values. ONNX Runtime isn't an engine of the
product, and has to be installed (``pip install onnxruntime``); tensorflow and jax need ``pip install
'pagebeam[train,jax]'``. The start is from the process's own start to the models being ready; the memory is the highest
that it took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from compare import Set

from ocr_models.bundle import DEFAULT_BUNDLES, Bundle, find_bundle
from ocr_models.charset import Charset
from ocr_models.detection.text_detector import TextDetector
from ocr_models.io.images import decode_image
from ocr_models.lexicon import Lexicon
from ocr_models.pages.page_reader import PageReader
from ocr_models.recognition.text_recognizer import TextRecognizer, read_by_ctc

_READERS = ("openvino int8", "openvino float", "onnxruntime int8", "onnxruntime float", "tensorflow", "jax")
_BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--detector", default=DEFAULT_BUNDLES["detection"])
    parser.add_argument("--recognizer", default=DEFAULT_BUNDLES["recognition"])
    parser.add_argument("--readers", nargs="+", default=_READERS, choices=_READERS)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # in a process of its own
    arguments = parser.parse_args()
    sets = [Set.parse(argument) for argument in arguments.sets]
    if arguments.one:
        print(json.dumps(_measure(arguments.readers[0], arguments.detector, arguments.recognizer, sets)))
        return
    bundles = [find_bundle(arguments.detector, "detection"), find_bundle(arguments.recognizer, "recognition")]
    print(f"{'reader':18}", *(f"{each.name[:14]:>14}" for each in sets), "   ms/page  start s  peak GB")
    with tempfile.TemporaryDirectory() as folder:
        in_floats = [str(_in_floats(bundle, Path(folder))) for bundle in bundles]
        for reader in arguments.readers:
            models = in_floats if reader.endswith("float") else [str(bundle.path) for bundle in bundles]
            options = ["--one", "--readers", reader, "--detector", models[0], "--recognizer", models[1]]
            run = [sys.executable, __file__, *arguments.sets, *options]
            said = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout
            result = json.loads(said.splitlines()[-1])
            scores = (f"{score:14.4f}" for score in result["f1"])
            print(f"{reader:18}", *scores, "{ms:10.1f} {start:8.2f} {gb:8.2f}".format(**result), flush=True)


def _in_floats(bundle: Bundle, folder: Path) -> Path:
    copy = folder / bundle.path.name
    shutil.copytree(bundle.path, copy)
    command = [sys.executable, "-m", "pagebeam", "train", "onnx", "--output", str(copy)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return copy


def _measure(name: str, detector: str, recognizer: str, sets: list[Set]) -> dict[str, Any]:
    reader = _load(name.split()[0], detector, recognizer)
    start = time.time() - _started()
    _score(reader, sets[0])  # engines compile for each new shape
    scores, seconds = zip(*(_score(reader, each) for each in sets), strict=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ms = 1000 * sum(seconds) / sum(len(each.pages) for each in sets)
    return {"f1": scores, "ms": ms, "start": start, "gb": peak}


def _score(reader: PageReader, pages: Set) -> tuple[float, float]:
    """Word F1 on a set, and the processor seconds of reading it."""
    texts: dict[str, str] = {}
    seconds = 0.0
    for i in range(0, len(pages.pages), _BATCH):
        files = pages.pages[i : i + _BATCH]
        images = [decode_image(file.read_bytes()).pixels for file in files]
        before = time.process_time()
        read = reader.read_pages(images)
        seconds += time.process_time() - before
        texts |= {file.stem: page.text for file, page in zip(files, read, strict=True)}
    return pages.score(texts).f_score, seconds


def _started() -> float:
    """When this process was started, in seconds since 1970."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])  # starttime, see proc(5)
    booted = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if "btime" in line)
    return booted + ticks / 100


def _load(engine: str, detector: str, recognizer: str) -> PageReader:
    if engine != "onnxruntime":
        return PageReader.load(detector, recognizer, engine=engine)
    detection, recognition = find_bundle(detector), find_bundle(recognizer)
    charset = Charset.load(recognition.charset_path)
    lexicon = Lexicon.load(recognition.lexicon_path) if recognition.lexicon_path else None
    read_batch = read_by_ctc(_session(recognition), charset, 1, lexicon)
    models = TextDetector(_session(detection)), TextRecognizer(read_batch, charset, recognition.temperature)
    return PageReader(*models, detection.id, recognition.id, reads_lines=recognition.reads_lines)


def _session(bundle: Bundle) -> Callable[[np.ndarray], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(bundle.onnx_path), options, providers=["CPUExecutionProvider"])
    (given,), names = session.get_inputs(), [output.name for output in session.get_outputs()]

    def forward(pictures: np.ndarray) -> Any:
        arrays = session.run(names, {given.name: pictures})
        return arrays[0] if len(arrays) == 1 else dict(zip(names, arrays, strict=True))

    return forward


if __name__ == "__main__":
    main()
