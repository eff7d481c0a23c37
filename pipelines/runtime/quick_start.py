"""A quick start for processes that are our own: Keras and models load in half of the time, partly while Beam starts.

What makes it quick changes the whole process, so a host program that uses our transforms is left alone: only what
``claim_process`` was called in, as the command does, starts so. This module itself imports neither Keras nor Beam.
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
_CLAIMED = "PAGEBEAM_PROCESS"  # in the environment, so that worker processes of this one are claimed, too


def claim_process() -> None:
    """Says that this process runs nothing but Pagebeam, and sets it and its children up for that.

    Libraries keep quiet unless the environment asks for their messages. OpenCV computes on the thread that calls it, as
    pages are spread over threads already.
    """
    os.environ[_CLAIMED] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # its errors come back as exceptions
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of a compilation for each shape of page


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Imports Keras and loads models quickly within the ``with`` block, if the process was claimed.

    Keras imports matplotlib where it is installed, and TensorFlow imports JAX, for plots and conversions that no
    pipeline makes. Both do without where an import fails, and here it fails, in this thread alone. Nothing is garbage
    while modules and models load, nor ever after, so Python's collector needn't look through all of it again and again.
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
    """Makes imports of some modules fail in the thread that it was made in."""

    def __init__(self, names: set[str]) -> None:
        self._names, self._thread = names, threading.get_ident()

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} isn't needed for now", name=fullname)
        return None


def import_ahead(module: str) -> None:
    """Starts to import a module that needs Keras in the background, and returns at once."""

    def import_it() -> None:
        with quick_start():
            importlib.import_module(module)

    threading.Thread(target=import_it, name="import", daemon=True).start()


def _unneeded() -> set[str]:
    return {"matplotlib"} if _keras_backend() == "jax" else {"matplotlib", "jax"}


def _keras_backend() -> str:
    """The backend that Keras will choose: by its environment variable, else by its configuration file."""
    folder = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    try:
        configured = json.loads(Path(folder, "keras.json").read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):  # none there, or none that Keras could read either
        configured = None
    return os.environ.get("KERAS_BACKEND") or configured or "tensorflow"
