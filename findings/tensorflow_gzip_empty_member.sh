#!/usr/bin/env bash
# TensorFlow's TFRecordDataset stops at an empty member of a gzip file, and at a file's end within a record's header.
#
# Versions:  tensorflow-cpu 2.21.0.
# Behavior:  gzip allows several members, of which some may be empty (RFC 1952); Apache Beam writes one for a shard
#            without records, and "cat" joins shards. Of such a file, TFRecordDataset gives the records before the empty
#            member and then ends, without an error. A file that ends within the 12 bytes of a record's header ends
#            without an error, too, but one that ends later in the record raises DataLossError.
# Expected:  the records of all members; DataLossError wherever a record is cut short.
# Pagebeam:  reads shards for training with its own reader (ocr_models/data/loading/input_pipeline.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.21.0

cat >"$folder/show.py" <<'PYTHON'
import gzip
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

folder = Path(sys.argv[1])
with tf.io.TFRecordWriter(str(folder / "plain")) as writer:
    writer.write(b"one")
    writer.write(b"two")
plain = (folder / "plain").read_bytes()
one, two = plain[: len(plain) // 2], plain[len(plain) // 2 :]
empty = gzip.compress(b"")


def read(name: str, content: bytes, compression: str = "GZIP") -> None:
    (folder / "file").write_bytes(content)
    records = []
    try:
        for record in tf.data.TFRecordDataset(str(folder / "file"), compression):
            records.append(record.numpy().decode())
    except tf.errors.DataLossError:
        records.append("DataLossError")
    print(f"{name}: {' '.join(records)}".rstrip())


print(f"tensorflow {tf.__version__}")
read("two members", gzip.compress(one) + gzip.compress(two))
read("empty, then two members", empty + gzip.compress(one) + gzip.compress(two))
read("empty between two members", gzip.compress(one) + empty + gzip.compress(two))
read("cut in the second length", one + two[:5], "")
read("cut in the second payload", one + two[:14], "")
PYTHON
"$folder/venv/bin/python" "$folder/show.py" "$folder" 2>"$folder/log" | tee "$folder/output"
cat >"$folder/expected" <<'TEXT'
tensorflow 2.21.0
two members: one two
empty, then two members:
empty between two members: one
cut in the second length: one
cut in the second payload: one DataLossError
TEXT
diff "$folder/expected" "$folder/output"
