"""Imports point one way, room by room, and light things stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ocr_models", "pagebeam", "pipelines")

# Which rooms the files of a room may import from; a package's own files are the room of its name. Rooms that stand
# further down import from rooms above them only: so no two rooms import each other.
ROOMS: dict[str, set[str]] = {
    "ocr_models": set(),
    "ocr_models.io": {"ocr_models"},
    "ocr_models.inference": {"ocr_models"},
    "ocr_models.decoding": set(),
    "ocr_models.metrics": {"ocr_models", "ocr_models.io"},
    "ocr_models.detection": {"ocr_models", "ocr_models.inference"},
    "ocr_models.recognition": {"ocr_models", "ocr_models.decoding", "ocr_models.inference", "ocr_models.metrics"},
    "ocr_models.captioning": {"ocr_models", "ocr_models.decoding", "ocr_models.inference"},
    "ocr_models.reports": {"ocr_models", "ocr_models.io", "ocr_models.recognition"},
    "ocr_models.pages": {
        "ocr_models",
        "ocr_models.detection",
        "ocr_models.inference",
        "ocr_models.io",
        "ocr_models.recognition",
        "ocr_models.reports",
    },
    "ocr_models.data": {"ocr_models", "ocr_models.io"},
    "ocr_models.data.mnist": {"ocr_models", "ocr_models.recognition"},
    "ocr_models.data.synthetic": {"ocr_models", "ocr_models.data", "ocr_models.recognition"},
    "ocr_models.data.captions": {"ocr_models", "ocr_models.data", "ocr_models.io"},
    "ocr_models.data.loading": {
        "ocr_models",
        "ocr_models.captioning",
        "ocr_models.data",
        "ocr_models.data.captions",
        "ocr_models.data.synthetic",
        "ocr_models.detection",
        "ocr_models.io",
        "ocr_models.pages",
        "ocr_models.recognition",
    },
    "ocr_models.data.sources": {
        "ocr_models",
        "ocr_models.data",
        "ocr_models.data.mnist",
        "ocr_models.data.synthetic",
        "ocr_models.io",
        "ocr_models.pages",
    },
    "ocr_models.training": {
        "ocr_models",
        "ocr_models.captioning",
        "ocr_models.data",
        "ocr_models.data.captions",
        "ocr_models.data.loading",
        "ocr_models.data.mnist",
        "ocr_models.data.synthetic",
        "ocr_models.decoding",
        "ocr_models.detection",
        "ocr_models.inference",
        "ocr_models.io",
        "ocr_models.metrics",
        "ocr_models.pages",
        "ocr_models.recognition",
        "ocr_models.reports",
    },
    "pipelines": set(),
    "pipelines.runtime": {"ocr_models", "ocr_models.inference", "ocr_models.io"},
    "pipelines.decoding": {"ocr_models", "ocr_models.data", "ocr_models.io", "pipelines.runtime"},
    "pipelines.inputs": {
        "ocr_models",
        "ocr_models.data",
        "ocr_models.data.sources",
        "ocr_models.io",
        "pipelines.decoding",
        "pipelines.runtime",
    },
    "pipelines.output": {"ocr_models", "pipelines.inputs", "pipelines.runtime"},
    "pipelines.export": {"ocr_models", "ocr_models.io", "pipelines.inputs", "pipelines.output", "pipelines.runtime"},
    "pipelines.report": {
        "ocr_models",
        "ocr_models.io",
        "pipelines.decoding",
        "pipelines.inputs",
        "pipelines.output",
        "pipelines.runtime",
    },
    "pipelines.reading": {
        "ocr_models",
        "ocr_models.captioning",
        "ocr_models.detection",
        "ocr_models.inference",
        "ocr_models.io",
        "ocr_models.pages",
        "ocr_models.recognition",
        "pipelines.decoding",
        "pipelines.inputs",
        "pipelines.output",
        "pipelines.runtime",
    },
    "pipelines.datasets": {
        "ocr_models",
        "ocr_models.data",
        "ocr_models.data.sources",
        "ocr_models.io",
        "ocr_models.pages",
        "ocr_models.reports",
        "pipelines.decoding",
        "pipelines.inputs",
        "pipelines.runtime",
    },
    "pipelines.evaluation": {
        "ocr_models",
        "ocr_models.captioning",
        "ocr_models.data",
        "ocr_models.data.sources",
        "ocr_models.inference",
        "ocr_models.io",
        "ocr_models.metrics",
        "ocr_models.pages",
        "ocr_models.recognition",
        "ocr_models.reports",
        "pipelines.decoding",
        "pipelines.inputs",
        "pipelines.runtime",
    },
    "pipelines.scheduling": {"ocr_models", "pipelines.inputs", "pipelines.runtime"},
    "pipelines.cli": {
        "ocr_models",
        "ocr_models.data.sources",
        "ocr_models.inference",
        "ocr_models.io",
        "ocr_models.reports",
        "pipelines.datasets",
        "pipelines.decoding",
        "pipelines.evaluation",
        "pipelines.export",
        "pipelines.inputs",
        "pipelines.output",
        "pipelines.reading",
        "pipelines.report",
        "pipelines.runtime",
        "pipelines.scheduling",
    },
    "pagebeam": {
        "ocr_models",
        "ocr_models.io",
        "ocr_models.pages",
        "pipelines.cli",
        "pipelines.export",
        "pipelines.inputs",
        "pipelines.output",
        "pipelines.reading",
    },
}


def files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def room_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).parent.parts)


def imported_files(file: Path) -> Iterator[Path]:
    """The files of ours that a file imports, wherever in it; in a folder's ``__init__`` if no module is named."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        else:
            continue
        for module in modules:
            if module.split(".")[0] in PACKAGES:
                path = ROOT.joinpath(*module.split("."))
                yield from filter(Path.is_file, (path.with_suffix(".py"), path / "__init__.py"))


def arrows() -> set[tuple[Path, Path]]:
    """Pairs of files of different rooms, of which the first imports the second."""
    found = {(file, imported) for file in files() for imported in imported_files(file)}
    return {(file, imported) for file, imported in found if room_of(file) != room_of(imported)}


def test_imports_point_one_way():
    wrong = [
        f"{file.relative_to(ROOT)} imports {imported.relative_to(ROOT)}"
        for file, imported in sorted(arrows())
        if imported.name != "__init__.py" and room_of(imported) not in ROOMS[room_of(file)]
    ]
    assert not wrong, "\n".join(wrong)


def test_rooms_stand_in_an_order():
    """No room imports one that imports it, not even through others."""
    rooms = list(ROOMS)
    for room, imported in ROOMS.items():
        assert imported <= set(rooms[: rooms.index(room)]), room


def test_the_table_of_rooms_is_the_code_s():
    assert {room_of(file) for file in files()} == set(ROOMS)
    used = {(room_of(file), room_of(imported)) for file, imported in arrows()}
    unused = {(room, other) for room, imported in ROOMS.items() for other in imported} - used
    assert not unused


def test_modules_that_mean_different_things_have_different_names():
    names: dict[str, list[str]] = {}
    for file in files():
        if file.stem not in ("__init__", "transforms"):  # a room's own PTransforms
            names.setdefault(file.stem, []).append(room_of(file))
    # The pages of a document, of the synthetic ones and of an output folder's; documents opened by path and by URI.
    assert {name: rooms for name, rooms in names.items() if len(rooms) > 1}.keys() <= {"documents"}


def test_beam_s_file_systems_are_called_in_one_module():
    callers = [file.name for file in files() if "FileSystems" in file.read_text() and "pipelines" in file.parts]
    assert callers == ["storage.py"]


@pytest.mark.parametrize(
    "module",
    [
        "ocr_models",
        "ocr_models.bundle",
        "ocr_models.data.dataset",
        "ocr_models.io.documents",
        "ocr_models.training.options",
        "pagebeam",
        "pipelines",
        "pipelines.cli.main",
        "pipelines.cli.schedule_command",
        "pipelines.decoding.child",
        "pipelines.inputs.discovery",
        "pipelines.reading.run",
    ],
)
def test_light_modules_load_neither_tensorflow_nor_beam(module):
    code = f"import sys, {module}; print({{'tensorflow', 'keras', 'apache_beam'}} & set(sys.modules))"

    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert output.stdout.strip() == "set()"


def test_all_that_is_printed_is_made_printable_in_one_module():
    printing = {
        str(file.relative_to(ROOT))
        for file in files()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing == {"ocr_models/terminal.py"}


def test_models_do_without_beam():
    for file in (ROOT / "ocr_models").rglob("*.py"):
        assert "apache_beam" not in file.read_text(), file
