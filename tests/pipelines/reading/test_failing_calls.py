"""A call to the file system that fails at the n-th time, for every n through a small run."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pagebeam
from tests.pipelines import samples

_CALLS = {
    "open": [(io, "open")],
    "create folder": [(os, "mkdir")],
    "sync": [(os, "fsync")],
    "rename": [(os, "replace"), (os, "rename")],
}


class Fault:
    """Lets the n-th call of a kind fail that concerns a folder; ``happened`` says whether there were as many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str, folder: Path, when: int) -> None:
        self._folder, self._left = str(folder), when
        self.happened = False
        if kind == "write":
            real = io.open
            monkeypatch.setattr(io, "open", lambda path, mode="r", *more: self._opened(real, path, mode, *more))
        for module, name in _CALLS.get(kind, []):
            monkeypatch.setattr(module, name, self._counted(getattr(module, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.count(arguments[0] if arguments else ".")
            return function(*arguments, **options)

        return call

    def count(self, file: Any) -> None:
        path = os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) else os.fspath(file)
        if str(path).startswith(self._folder):
            self._left -= 1
            if self._left == 0:
                self.happened = True
                raise OSError(errno.EIO, "Input/output error", str(path))

    def _opened(self, real: Callable[..., Any], path: Any, mode: str, *more: Any) -> Any:
        return io.BufferedWriter(FaultyFile(path, self)) if "w" in mode else real(path, mode, *more)


class FaultyFile(io.FileIO):
    def __init__(self, path: Any, fault: Fault) -> None:
        super().__init__(path, "w")
        self._path, self._fault = path, fault

    def write(self, data: Any) -> int:
        self._fault.count(self._path)
        return super().write(data)


@pytest.mark.parametrize("kind", ["write", *_CALLS])
def test_a_call_that_fails_gives_a_clear_error_and_leaves_nothing_behind(run, tmp_path, capsys, monkeypatch, kind):
    output, page = tmp_path / "out", samples.write_png(tmp_path / "in/page.png", 1)
    assert run(page)[0] == 0
    rows = pagebeam.read_rows(str(output)).to_pylist()
    for when in range(1, 200):
        before = files(output)
        with monkeypatch.context() as patch:
            fault = Fault(patch, kind, output, when)
            capsys.readouterr()
            status = run(page)[0]
        if not fault.happened:
            break
        told = capsys.readouterr().err
        if status:
            assert told.startswith("pagebeam: ") and "Input/output error" in told and told.count("\n") == 1, (
                when,
                told,
            )
        # Either nothing of the run is there or all of it: a folder with a file of rows, and a manifest.
        assert len(files(output) - before) in ((0, 3) if status else (3,)), (when, files(output) - before)
        assert pagebeam.read_rows(str(output)).num_rows == 1
    assert when > 1
    assert pagebeam.read_rows(str(output)).to_pylist()[0]["words"] == rows[0]["words"]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
