"""The chunks of a local run, which are read one after the other and committed together.

What each has written is noted among the run's unfinished files, so that the last one need not open the shards again.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from pipelines.output.output_folder import unfinished_folder
from pipelines.output.page_statistics import PageStatistics
from pipelines.output.run_manifest import Totals
from pipelines.output.shards import Shard
from pipelines.runtime.storage import join, list_folder, read_bytes, write_bytes


def write_chunk(output: str, run_id: str, shards: Sequence[Shard], totals: Totals) -> None:
    """Notes the shards of a chunk, and what their rows must add up to."""
    content = {"shards": [asdict(shard) for shard in shards], "totals": asdict(totals)}
    write_bytes(join(output, f"{_folder(run_id)}/{uuid.uuid4().hex}.json"), json.dumps(content).encode())


def read_chunks(output: str, run_id: str) -> Iterator[tuple[list[Shard], Totals]]:
    """Yields what ``write_chunk`` noted in this run."""
    for name in list_folder(join(output, _folder(run_id))):
        if name.endswith(".json"):
            content = json.loads(read_bytes(join(output, f"{_folder(run_id)}/{name}")))
            totals = Totals(**{**content["totals"], "skipped": Counter(content["totals"]["skipped"])})
            yield [_shard(values) for values in content["shards"]], totals


def _shard(values: dict) -> Shard:
    statistics = {kind: PageStatistics.from_json(of) for kind, of in values["statistics"].items()}
    return Shard(**{**values, "first_failures": tuple(values["first_failures"]), "statistics": statistics})


def _folder(run_id: str) -> str:
    return f"{unfinished_folder(run_id)}/chunks"
