#!/usr/bin/env bash
# editdistance takes -1 and -2 for the same label, and RapidFuzz a letter for the number of its code point.
#
# Versions:  editdistance 0.8.1, RapidFuzz 3.14.6 on Python 3.11.
# Behavior:  both take sequences of any hashable items. editdistance compares their hashes alone, and CPython's hash of -1
#            is that of -2: where -1 is padding, as Keras' ctc_decode has it, and -2 another mark, the distance is 0.
#            RapidFuzz tells these apart. Both take 0 and 2^61 - 1 for the same. RapidFuzz compares a string of
#            one character as its code point: ["A"] and [65] have the distance 0, ["AB"] and [65] have 1.
# Expected:  items that aren't equal are different.
# Pagebeam:  gives RapidFuzz items of one kind, without negative labels (ocr_models/metrics/recognition.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q editdistance==0.8.1 rapidfuzz==3.14.6

cat >"$folder/show.py" <<'PYTHON'
from importlib.metadata import version

import editdistance
from rapidfuzz.distance import Levenshtein

print(f"editdistance {version('editdistance')}, RapidFuzz {version('rapidfuzz')}")
for truth, result in (([3, -1], [3, -2]), ([0], [2**61 - 1]), (["A"], [65]), (["AB"], [65])):
    distances = editdistance.eval(truth, result), Levenshtein.distance(truth, result)
    print(f"{truth} {result}: editdistance {distances[0]}, RapidFuzz {distances[1]}")
PYTHON
cat >"$folder/expected" <<'TEXT'
editdistance 0.8.1, RapidFuzz 3.14.6
[3, -1] [3, -2]: editdistance 0, RapidFuzz 1
[0] [2305843009213693951]: editdistance 0, RapidFuzz 0
['A'] [65]: editdistance 1, RapidFuzz 0
['AB'] [65]: editdistance 1, RapidFuzz 1
TEXT

"$folder/venv/bin/python" "$folder/show.py" | tee "$folder/output"
diff "$folder/expected" "$folder/output"
