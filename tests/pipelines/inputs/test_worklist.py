"""What is known of documents, as the workers of a run's chunks read it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.inputs.worklist import read_known, write_known


def test_what_is_known_is_read_once_however_the_names_of_its_files_sort(tmp_path):
    plan, opened, later = (str(tmp_path / name) for name in ("known.parquet", "9.parquet", "1.parquet"))
    write_known(plan, {"a": (2,), "b": None})
    for path, digests in ((opened, ["b", None]), (later, ["c"])):
        pq.write_table(pa.table({"uri": [f"/{digest}" for digest in digests], "sha256": digests}), path)

    assert read_known((plan, opened)) == {"a": (2,), "b": ()}
    (tmp_path / "known.parquet").unlink()
    (tmp_path / "9.parquet").unlink()
    assert read_known((plan, later, opened)) == {"a": (2,), "b": (), "c": ()}
    assert read_known((later,)) == {"c": ()}  # of another run
