#!/usr/bin/env bash
# Beam's local runner loses elements of a stage that yields many of them for longer than a second, and reports success.
#
# Versions:  apache-beam 2.77.0 on Python 3.11; FnApiRunner, multi_threading, 2 workers.
# Behavior:  of 1,000,000 elements of 100 bytes, 998,971, 998,606, 1,000,000 and 998,578 arrived in four runs (2 cores).
#            The runner flushes the buffers between stages once a second from a thread of its own, while elements are
#            being written to them. With DATA_BUFFER_TIME_LIMIT_MS = 0 buffers are flushed by size alone, and all
#            elements arrive.
# Expected:  every element arrives, or the run fails.
# Pagebeam:  sets DATA_BUFFER_TIME_LIMIT_MS = 0 wherever its transforms run (pipelines/runtime/runner.py).
#
# Whether a run loses elements is left to chance, so the script makes up to 6 runs (17 s each) until one does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q apache-beam==2.77.0

cat >"$folder/show.py" <<'PYTHON'
import logging
import sys
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, worker_handlers

logging.disable()
SOURCES, EACH = 20, 50_000
count_file = Path(sys.argv[1])


def elements(source):
    for number in range(EACH):
        yield (source, number), b"x" * 100


def run(limit_ms):
    """The number of elements that arrive behind a shuffle."""
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = limit_ms
    options = PipelineOptions(["--direct_running_mode=multi_threading", "--direct_num_workers=2"])
    with beam.Pipeline(FnApiRunner(), options=options) as root:
        (
            root
            | beam.Create(range(SOURCES))
            | "SpreadSources" >> beam.Reshuffle()
            | beam.FlatMap(elements)
            | "SpreadElements" >> beam.Reshuffle()
            | beam.combiners.Count.Globally()
            | beam.Map(lambda count, path=str(count_file): Path(path).write_text(str(count)))
        )
    count = int(count_file.read_text())
    print(f"limit of {limit_ms} ms: {count:,} of {SOURCES * EACH:,} elements", flush=True)
    return count


print(f"apache-beam {beam.__version__}")
default = worker_handlers.DATA_BUFFER_TIME_LIMIT_MS
assert default == 1000, default
lost = any(run(default) < SOURCES * EACH for _ in range(6))
whole = all(run(0) == SOURCES * EACH for _ in range(2))
sys.exit(0 if lost and whole else "changed: " + ("elements are lost with 0, too" if lost else "no element was lost"))
PYTHON

"$folder/venv/bin/python" "$folder/show.py" "$folder/count"
