#!/usr/bin/env bash
# fastparquet reads a column of lists of structs as None, and ClickHouse reads null lists and structs as empty ones.
#
# Versions:  fastparquet 2026.9.0, chdb 4.4.0 (ClickHouse 26.9), with pyarrow 25.0.1 as writer, on Python 3.11.
# Behavior:  fastparquet gives None in each row of such a column, without an error or a warning, while it reads structs
#            that are in no list as columns of their own. pandas.read_parquet(engine="fastparquet") gives the same.
#            In ClickHouse, whose arrays and tuples aren't nullable by default, a null list is an empty list, and a null
#            struct is one of nulls, so that "failure is null" holds for no row.
# Expected:  the values, or an error; IS NULL where the file has null.
# Pagebeam:  says so, and what to ask in place of it (docs/rows.md).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q fastparquet==2026.9.0 pandas==3.1.1 chdb==4.4.0 pyarrow==25.0.1

cat >"$folder/show.py" <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import chdb
import pyarrow
import pyarrow.parquet
from fastparquet import ParquetFile

path = sys.argv[1]
rows = [
    {"failure": None, "words": [{"text": "Cargo"}]},
    {"failure": None, "words": []},
    {"failure": {"stage": "open"}, "words": None},
]
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)

print(f"fastparquet {version('fastparquet')}, chdb {version('chdb')}")
with warnings.catch_warnings():
    warnings.simplefilter("error", UserWarning)
    for name, values in ParquetFile(path).to_pandas().to_dict("list").items():
        print(f"fastparquet, {name}: {values}")
for column in ("failure", "failure.stage", "words"):
    where = f"select countIf({column} is null) from file('{path}')"
    print(f"ClickHouse, {column} is null: {str(chdb.query(where)).strip()}")
print("ClickHouse, empty words:", str(chdb.query(f"select countIf(empty(words)) from file('{path}')")).strip())
PYTHON
cat >"$folder/expected" <<'TEXT'
fastparquet 2026.9.0, chdb 4.4.0
fastparquet, words: [None, None, None]
fastparquet, failure.stage: [None, None, 'open']
ClickHouse, failure is null: 0
ClickHouse, failure.stage is null: 2
ClickHouse, words is null: 0
ClickHouse, empty words: 2
TEXT

"$folder/venv/bin/python" "$folder/show.py" "$folder/rows.parquet" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
