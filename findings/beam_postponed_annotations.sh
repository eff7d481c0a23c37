#!/usr/bin/env bash
# Beam passes over the type hints of modules with postponed annotations.
#
# Version:   apache-beam 2.77.0 on Python 3.11.
# Behavior:  the annotations of a PTransform's expand, of a DoFn's process and of a function in Map are type hints. With
#            ``from __future__ import annotations`` they are strings, which Beam takes for Any: a wrong pipeline is built
#            without an error, and fails when it runs.
# Expected:  the same hints with and without the import, which changes no meaning elsewhere.
# Pagebeam:  declares its public transforms by with_input_types and with_output_types (pipelines/reading).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q apache-beam==2.77.0

cat >"$folder/show.py" <<'PYTHON'
import importlib
import pathlib
import sys

import apache_beam as beam

CODE = """
import apache_beam as beam


class Upper(beam.PTransform):
    def expand(self, texts: beam.PCollection[str]) -> beam.PCollection[str]:
        return texts | beam.Map(lambda text: text.upper())


class Split(beam.DoFn):
    def process(self, text: str):
        yield from text.split()


def length(text: str) -> int:
    return len(text)
"""


def refused(step):
    try:
        beam.Pipeline() | beam.Create([1, 2]) | step
    except beam.typehints.TypeCheckError:
        return True
    return False


found = {}
for name, first in (("plain", ""), ("postponed", "from __future__ import annotations\n")):
    pathlib.Path(sys.path[0], f"{name}.py").write_text(first + CODE)
    module = importlib.import_module(name)
    steps = {"PTransform": module.Upper(), "DoFn": beam.ParDo(module.Split()), "Map": beam.Map(module.length)}
    found[name] = {kind: refused(step) for kind, step in steps.items()}
    print(f"apache-beam {beam.__version__}, {name} annotations, numbers into texts refused: {found[name]}")
sys.exit(0 if all(found["plain"].values()) and not any(found["postponed"].values()) else "changed")
PYTHON

"$folder/venv/bin/python" "$folder/show.py" 2> >(grep -v -i warning >&2)
