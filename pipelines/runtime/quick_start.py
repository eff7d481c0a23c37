"""Quick start-up of Pagebeam's own processes: Keras and models load in half the time, partly while Beam starts.

The measures affect the whole process, so they are taken only where ``claim_process`` was called, as the command does; a
host program that uses our transforms is left alone. This module itself imports neither Keras nor Beam.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path

_one_at_a_time = threading.Lock()
_CLAIMED = "PAGEBEAM_PROCESS"  # an environment variable, which worker processes inherit


def claim_process() -> None:
    """Declares that this process runs nothing but Pagebeam, and sets it and its children up for that.

    Libraries log errors only, Beam nothing below critical; ``TF_CPP_MIN_LOG_LEVEL`` shows TensorFlow's own messages.
    OpenCV computes on the calling thread only, because pages are already spread over threads.
    """
    os.environ[_CLAIMED] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # its errors are raised as well
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns about compiling for each new page shape


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Speeds up importing Keras and loading models within the ``with`` block, if the process was claimed.

    Keras imports matplotlib if it is installed, and TensorFlow imports JAX, for plots and conversions that no pipeline
    needs. Both work without them, so these imports are made to fail, in this thread only. Modules and models are never
    garbage, so Python's collector is off while they load, and skips them afterwards.
    """
    if _CLAIMED not in os.environ:
        yield
        return
    with _one_at_a_time:
        hidden, collects = _Hidden(_unneeded()), gc.isenabled()
        sys.meta_path.insert(0, hidden)
        gc.disable()
        try:
            yield
        finally:
            sys.meta_path.remove(hidden)
            gc.freeze()
            if collects:
                gc.enable()


class _Hidden(MetaPathFinder):
    """Makes imports of some modules fail in the thread that created it."""

    def __init__(self, names: set[str]) -> None:
        self._names, self._thread = names, threading.get_ident()

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is hidden while Keras and models load", name=fullname)
        return None


def import_ahead(module: str) -> None:
    """Starts importing a module that needs Keras in the background, and returns immediately."""

    def import_it() -> None:
        with quick_start():
            importlib.import_module(module)

    threading.Thread(target=import_it, name="import", daemon=True).start()


def _unneeded() -> set[str]:
    return {"matplotlib"} if _keras_backend() == "jax" else {"matplotlib", "jax"}


def _keras_backend() -> str:
    """The backend that Keras will choose: that of its environment variable, else of its configuration file."""
    folder = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    try:
        configured = json.loads(Path(folder, "keras.json").read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):  # missing, or unreadable for Keras too
        configured = None
    return os.environ.get("KERAS_BACKEND") or configured or "tensorflow"
