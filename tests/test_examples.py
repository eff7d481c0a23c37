"""The examples run as they stand, on the sample documents."""

from __future__ import annotations

import ast
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 40


def run(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """The objects that an example writes."""
    monkeypatch.setattr(sys, "argv", [name, *(str(ROOT / argument) for argument in arguments), str(tmp_path / "out")])
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    return [json.loads(line) for line in (tmp_path / "out-00000-of-00001.jsonl").read_text().splitlines()]


def test_a_step_of_your_own_after_ours(monkeypatch, tmp_path):
    found = run("find_amounts.py", "docs/samples/cargo.tif", monkeypatch=monkeypatch, tmp_path=tmp_path)

    amounts = {(line["page"], amount) for line in found for amount in line["amounts"]}
    assert {(1, "14.50"), (1, "102.00"), (1, "177.50"), (2, "66.00"), (2, "129.00")} <= amounts
    assert not any(page == 3 for page, _ in amounts)


def test_models_in_run_inference(monkeypatch, tmp_path):
    words = run("run_inference.py", "docs/samples/letter.jpg", monkeypatch=monkeypatch, tmp_path=tmp_path)

    assert {"Harbour", "Northby", "Sørensen,"} <= {word["text"] for word in words}


def test_the_notebook(monkeypatch, capsys):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    monkeypatch.chdir(ROOT)
    notebook = json.loads((ROOT / "examples/look_at_a_page.ipynb").read_text())
    names: dict[str, Any] = {}
    shown = None
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            code = ast.parse("".join(cell["source"]))
            for statement in code.body:  # a notebook shows the value of an expression
                if isinstance(statement, ast.Expr):
                    value = eval(compile(ast.Expression(statement.value), "notebook", "eval"), names)
                    shown = value if hasattr(value, "_repr_png_") else shown
                else:
                    exec(compile(ast.Module([statement], []), "notebook", "exec"), names)

    assert shown is not None and shown._repr_png_().startswith(b"\x89PNG")
    assert "Harbour Office" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.*")), ids=lambda path: path.name)
def test_examples_are_short_and_the_readme_names_them(path):
    source = path.read_text()
    if path.suffix == ".ipynb":
        source = "\n".join("".join(cell["source"]) for cell in json.loads(source)["cells"])
    assert len(source.splitlines()) <= MAX_LINES
    assert f"(examples/{path.name})" in (ROOT / "README.md").read_text()
