"""Imports point one way, pipelines → ocr_models, and light things stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "module",
    [
        "ocr_models",
        "ocr_models.bundle",
        "ocr_models.data.dataset",
        "ocr_models.io.documents",
        "ocr_models.training.options",
        "pipelines",
        "pipelines.decoding.child",
    ],
)
def test_light_modules_load_neither_tensorflow_nor_beam(module):
    code = f"import sys, {module}; print({{'tensorflow', 'keras', 'apache_beam'}} & set(sys.modules))"

    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert output.stdout.strip() == "set()"


def test_models_never_import_pipelines():
    for path in (ROOT / "ocr_models").rglob("*.py"):
        imported = set(_imported_modules(path))
        assert not {module for module in imported if module.split(".")[0] in ("pipelines", "apache_beam")}, path


def _imported_modules(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
