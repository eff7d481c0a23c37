"""Parts of a run: the same command on several machines, each with its share of the documents, on one output.

The parts of a job array need not talk. Which part reads a document follows from its URI alone; each is a run of its
own, with its shards and manifest, which it commits as any run does. Copies of a document in two parts become one row at
the commit of the second, as those in two runs do.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.output.page_statistics import PageStatistics, sum_by_kind


@dataclass(frozen=True)
class Part:
    """A part of a job array.

    Attributes:
        number: its number, from 1.
        count: how many parts there are.
    """

    number: int
    count: int

    def has(self, uri: str) -> bool:
        """Whether a document, or a file that is none, is in this part."""
        digest = hashlib.sha256(uri.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def part(text: str) -> Part:
    """Reads ``3/16`` (``type=`` of ``argparse``)."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no part; give 1/16 to 16/16 to the machines of an array of 16")
    return Part(int(found[1]), int(found[2]))


def array_id() -> str | None:
    """What the parts of an array have in common: ``PAGEBEAM_ARRAY``, or the id of a Slurm or AWS Batch array, if any.

    Sources: sbatch(1), "JOB ARRAYS"; "Array job environment variables" of AWS Batch's documentation.
    """
    batch = os.environ.get("AWS_BATCH_JOB_ID", "").partition(":")[0]  # of a child job, PARENT:INDEX
    return os.environ.get("PAGEBEAM_ARRAY") or os.environ.get("SLURM_ARRAY_JOB_ID") or batch or None


@dataclass
class Array:
    """The runs of a job array.

    Attributes:
        array_id: see ``array_id``.
        count: how many parts it has.
        runs: the manifests of its runs, oldest first; a part that was stopped and started again has several.
    """

    array_id: str | None
    count: int
    runs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def missing(self) -> list[int]:
        """The numbers of the parts of which no run has finished."""
        finished = {run["part"]["number"] for run in self.runs if not run["stopped"]}
        return [number for number in range(1, self.count + 1) if number not in finished]

    def whole(self) -> dict[str, Any]:
        """A manifest of all runs together, as far as gates and drift need it, with the id of the last one."""
        last = self.runs[-1]
        of_kind = ({kind: PageStatistics.from_json(of) for kind, of in run["statistics"].items()} for run in self.runs)
        pages = {name: sum(run["pages"][name] for run in self.runs) for name in last["pages"]}
        return {
            **last,
            "pages": pages,
            "statistics": {kind: asdict(of) for kind, of in sum_by_kind(of_kind).items()},
            "gates_exceeded": [sentence for run in self.runs for sentence in run.get("gates_exceeded", [])],
        }


def arrays(manifests: Iterable[dict[str, Any]]) -> list[Array]:
    """The job arrays among runs, oldest first.

    Another id, or another number of parts, makes another array. Without ids, so does a part that is run when all parts
    of the array before have finished.

    Args:
        manifests: of all runs, oldest first.
    """
    found: dict[tuple[Any, ...], Array] = {}
    all_of: list[Array] = []
    for run in manifests:
        if told := run.get("part"):
            key = (run["table"], run["array"], told["count"])
            if key not in found or (run["array"] is None and not found[key].missing):
                found[key] = Array(run["array"], told["count"])
                all_of.append(found[key])
            found[key].runs.append(run)
    return all_of


def array_of(manifests: Iterable[dict[str, Any]], run_id: str) -> Array | None:
    """The job array that a run belongs to; None if it is no part."""
    return next((array for array in arrays(manifests) if any(run["run_id"] == run_id for run in array.runs)), None)


def whole_runs(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The manifests of runs, those of a job array as one; of an array that isn't complete there is none."""
    complete = {array.runs[-1]["run_id"]: array.whole() for array in arrays(manifests) if not array.missing}
    of_runs = (complete.get(run["run_id"]) if run.get("part") else run for run in manifests)
    return [run for run in of_runs if run]
