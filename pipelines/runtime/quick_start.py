"""Keras and models loaded in half of the time, and partly while Beam starts. This module itself imports neither."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path

_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Imports Keras and loads models quickly within the ``with`` block.

    Keras takes matplotlib along where it is installed, and TensorFlow JAX, for plots and conversions that no pipeline
    makes: both do without where an import fails, and here it does, in this thread alone. Nothing is garbage while
    modules and models load, nor ever after, so that Python's collector needn't look through all of it again and again.
    """
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

    def __init__(self, names: set[str]):
        self._names, self._thread = names, threading.get_ident()

    def find_spec(self, fullname, path=None, target=None):
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} isn't needed for now", name=fullname)


def import_ahead(module: str) -> None:
    """Starts to import a module that needs Keras in the background, and returns at once."""

    def import_it() -> None:
        with quick_start():
            importlib.import_module(module)

    threading.Thread(target=import_it, name="import", daemon=True).start()


def _unneeded() -> set[str]:
    config = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"), "keras.json")
    backend = os.environ.get("KERAS_BACKEND") or (config.read_text() if config.is_file() else "tensorflow")
    return {"matplotlib"} if "jax" in backend else {"matplotlib", "jax"}
