"""Quick start-up of Pagebeam's own processes: what computes the models loads quickly, partly while Beam starts.

The measures affect the whole process, so they are taken only where ``claim_process`` was called, as the command does; a
host program that uses our transforms is left alone. This module itself imports neither Keras nor Beam.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from types import ModuleType

from ocr_models.inference.engines import keras_backend
from ocr_models.terminal import PrintableFormatter

_one_at_a_time = threading.Lock()
_counting = threading.Lock()  # of the threads in ``uncollected``
_loading, _collects = 0, True
_CLAIMED = "PAGEBEAM_PROCESS"  # an environment variable, which worker processes inherit
_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# What pyarrow, Beam and OpenVINO import where it is installed, and work without: a fifth of the start-up.
_UNUSED = ("pandas", "bson", "openvino.tools.ovc")
# Information and warnings of TensorFlow, and the line that its logging begins with, in each library that has a copy.
_TENSORFLOW_LINE = re.compile(rb"([IW]\d{4} \d\d:\d\d:\d+\.\d|WARNING: All log messages before absl).*\n?")


def claim_process() -> None:
    """Declares that this process runs nothing but Pagebeam, and sets it and its children up for that.

    Libraries log errors only, Beam nothing below critical; ``TF_CPP_MIN_LOG_LEVEL=0`` shows TensorFlow's own messages.
    OpenCV computes on the calling thread only, because pages are already spread over threads.
    """
    os.environ[_CLAIMED] = "1"
    os.environ.setdefault(_LOG_LEVEL, "3")
    _keep_tensorflow_quiet()
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # grpcio 1.85 logs each fork amid the progress
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter(logging.BASIC_FORMAT))
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # its errors are raised as well
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns about compiling for each new page shape


def leave_out_unused() -> None:
    """Has imports of some large modules fail, which libraries import without our need, until the process ends."""
    sys.meta_path.insert(0, _Hidden(_UNUSED))


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Speeds up importing Keras and loading models within the ``with`` block, if the process was claimed.

    Keras imports matplotlib if it is installed, and TensorFlow imports JAX, for plots and conversions that no pipeline
    needs. Both work without them, so these imports are made to fail, in this thread only. See ``uncollected``, too.
    """
    if _CLAIMED not in os.environ:
        yield
        return
    _keep_tensorflow_quiet()  # in a worker process, which claims nothing
    with _one_at_a_time, uncollected():
        hidden = _Hidden(_unneeded(), threading.get_ident())
        sys.meta_path.insert(0, hidden)
        try:
            yield
        finally:
            sys.meta_path.remove(hidden)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keeps Python's garbage collector off while modules and models load within the block, if the process was claimed.

    They are never garbage; the collector skips them afterwards. Several threads may load at once.
    """
    global _loading, _collects
    if _CLAIMED not in os.environ:
        yield
        return
    with _counting:
        if not _loading:
            _collects = gc.isenabled()
            gc.disable()
        _loading += 1
    try:
        yield
    finally:
        with _counting:
            _loading -= 1
            if not _loading:
                gc.freeze()
                if _collects:
                    gc.enable()


class _Hidden(MetaPathFinder):
    """Makes imports of some modules fail in a thread, or in all."""

    def __init__(self, names: Collection[str], thread: int | None = None) -> None:
        self._names, self._thread = names, thread

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname in self._names and self._thread in (None, threading.get_ident()):
            raise ModuleNotFoundError(f"{fullname} is hidden, so that the process starts quickly", name=fullname)
        return None


def _keep_tensorflow_quiet() -> None:
    """Has TensorFlow keep its own messages to itself while it is imported, too, unless the log level asks for them.

    TensorFlow 2.21 heeds ``TF_CPP_MIN_LOG_LEVEL`` only once its libraries are loaded. While they are, it logs that
    there is no CUDA, and what processors it is built for.
    """
    if os.environ.get(_LOG_LEVEL) in ("2", "3") and not any(isinstance(finder, _Quiet) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Quiet())


class _Quiet(MetaPathFinder):
    """Finds TensorFlow's native modules and has them loaded by ``_QuietLoader``."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if not fullname.startswith("tensorflow."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)  # type: ignore[arg-type]
        if spec and spec.origin and isinstance(spec.loader, ExtensionFileLoader):
            spec.loader = _QuietLoader(fullname, spec.origin)
        return spec


class _QuietLoader(ExtensionFileLoader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        with _dropping_tensorflow_lines():
            return super().create_module(spec)


@contextlib.contextmanager
def _dropping_tensorflow_lines() -> Iterator[None]:
    """Collects what native code writes to stderr within the block, and then writes it, less TensorFlow's own lines."""
    try:
        collected, path = tempfile.mkstemp(prefix="pagebeam-")
    except OSError:  # the disk is full; noise is better than no run
        yield
        return
    os.unlink(path)
    stderr = os.dup(2)
    os.dup2(collected, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.write(2, _TENSORFLOW_LINE.sub(b"", os.pread(collected, os.fstat(collected).st_size, 0)))
        os.close(stderr)
        os.close(collected)


def import_ahead(module: str) -> None:
    """Starts importing a module that is slow to import in the background, and returns immediately."""

    def import_it() -> None:
        with quick_start():
            importlib.import_module(module)

    threading.Thread(target=import_it, name="import", daemon=True).start()


def _unneeded() -> set[str]:
    return {"matplotlib"} if keras_backend() == "jax" else {"matplotlib", "jax"}
