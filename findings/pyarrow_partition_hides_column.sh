#!/usr/bin/env bash
# A hive partition hides a column of the same name in the files.
#
# Versions:  pyarrow 25.0.1.
# Behavior:  pyarrow.dataset gives the value from the folder's name, filters by it, and says nothing of the column in the
#            files, whose values can't be reached. pyarrow.parquet.read_table refuses the same folder.
#            A value that is all digits becomes an integer, so leading zeros are lost.
# Expected:  an error, or the same answer from both.
# Pagebeam:  keeps all rows in one folder, without partitions.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==25.0.1

cat >"$folder/show.py" <<'PYTHON'
import sys
from pathlib import Path

import pyarrow
import pyarrow.dataset
import pyarrow.parquet

root = Path(sys.argv[1])
for name, table in {
    "same/run=from-folder": pyarrow.table({"run": ["from-file"]}),
    "digits/run=0012": pyarrow.table({"page": [1]}),
}.items():
    (root / name).mkdir(parents=True)
    pyarrow.parquet.write_table(table, root / name / "part.parquet")

print(f"pyarrow {pyarrow.__version__}")
same = pyarrow.dataset.dataset(root / "same", partitioning="hive")
print("dataset:", same.to_table().to_pylist())
for value in ("from-folder", "from-file"):
    print(f"rows with run == {value}:", same.count_rows(filter=pyarrow.dataset.field("run") == value))
try:
    print("read_table:", pyarrow.parquet.read_table(root / "same").to_pylist())
except pyarrow.ArrowTypeError:
    print("read_table: ArrowTypeError")
print("run=0012:", pyarrow.dataset.dataset(root / "digits", partitioning="hive").to_table()["run"].to_pylist())
PYTHON
cat >"$folder/expected" <<'TEXT'
pyarrow 25.0.1
dataset: [{'run': 'from-folder'}]
rows with run == from-folder: 1
rows with run == from-file: 0
read_table: ArrowTypeError
run=0012: [12]
TEXT

"$folder/venv/bin/python" "$folder/show.py" "$folder/data" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
