"""A call to the file system that fails at the n-th time, for every n through a small run that changes an output."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pagebeam
from pipelines.cli.main import main
from tests.pipelines import samples

_CALLS = {
    "open": [(io, "open"), (builtins, "open")],
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
            for module in (io, builtins):
                monkeypatch.setattr(
                    module,
                    "open",
                    lambda path, mode="r", *more, **named: self._opened(real, path, mode, *more, **named),
                )
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

    def _opened(self, real: Callable[..., Any], path: Any, mode: str, *more: Any, **named: Any) -> Any:
        return io.BufferedWriter(FaultyFile(path, self)) if mode == "wb" else real(path, mode, *more, **named)


class FaultyFile(io.FileIO):
    def __init__(self, path: Any, fault: Fault) -> None:
        super().__init__(path, "w")
        self._path, self._fault = path, fault

    def write(self, data: Any) -> int:
        self._fault.count(self._path)
        return super().write(data)


@pytest.mark.parametrize("kind", ["write", *_CALLS])
def test_a_call_that_fails_gives_a_clear_error_and_costs_no_row(run, tmp_path, capsys, monkeypatch, kind):
    output, folder = tmp_path / "out", tmp_path / "in"
    samples.write_png(folder / "changes.png", 1)
    samples.write_png(folder / "stays.png", 2)
    assert run(folder)[0] == 0
    before = view(output)
    shutil.copytree(output, tmp_path / "before")
    samples.write_png(folder / "changes.png", 3)
    samples.write_png(folder / "comes.png", 4)
    assert run(folder)[0] == 0
    after = view(output)
    assert len(before) == 2 and len(after) == 3

    for when in range(1, 300):
        shutil.rmtree(output)
        shutil.copytree(tmp_path / "before", output)
        with monkeypatch.context() as patch:
            fault = Fault(patch, kind, output, when)
            capsys.readouterr()
            status = main(["run", str(folder), "--workers", "1", "--output", str(output)])
        if not fault.happened:
            break
        told = capsys.readouterr().err
        if status:
            assert told.startswith("pagebeam: ") and "Input/output error" in told and told.count("\n") == 1, told
        assert view(output) in ([before, after] if status else [after]), when
        assert main(["run", str(folder), "--workers", "1", "--output", str(output)]) == 0
        assert view(output) == after, when
        assert not list(output.glob("_*")), when
    assert when > 1


def view(output: Path) -> list[dict[str, Any]]:
    rows = pagebeam.read_rows(str(output)).sort_by("source_uri").to_pylist()
    return [{name: row[name] for name in ("page_id", "source_uri", "also_at", "text")} for row in rows]
