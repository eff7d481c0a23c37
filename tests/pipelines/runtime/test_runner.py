from __future__ import annotations

import time
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, worker_handlers

from ocr_models.errors import PagebeamError, UsageError
from pipelines.datasets.transforms import ReadPictures
from pipelines.evaluation.transforms import Predict
from pipelines.inputs.transforms import OpenDocuments, ReadDocuments
from pipelines.reading.transforms import ReadPages
from pipelines.runtime.beam_options import BeamOptions
from pipelines.runtime.runner import make_pipeline, run_pipelines
from tests.pipelines import samples
from tests.pipelines.fakes import load_fake_reader


def _count_up(worker: int) -> Iterator[tuple[str, list[int]]]:
    """Numbered elements that take long to be written, as many as come while Beam's timer flushes buffers twice."""
    until, number = time.monotonic() + 2.5, 0
    while number <= 1000 or time.monotonic() < until:
        yield f"{worker} {number}", list(range(500))
        number += 1


def test_a_pipeline_of_a_host_program_loses_no_element_of_a_stage_that_yields_many(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_handlers, "DATA_BUFFER_TIME_LIMIT_MS", 1000)  # Beam's own
    samples.write_png(tmp_path / "page.png", 1)
    options = PipelineOptions(["--direct_running_mode=multi_threading", "--direct_num_workers=2"])
    with beam.Pipeline(FnApiRunner(), options) as root:
        root | ReadDocuments([str(tmp_path / "page.png")])
        keys = (
            root
            | beam.Create([0, 1])
            | "Spread" >> beam.Reshuffle()
            | "CountUp" >> beam.FlatMap(_count_up)
            | "Group" >> beam.GroupByKey()
            | "Keys" >> beam.Keys()
            | "All" >> beam.combiners.ToList()
        )
        keys | "Write" >> beam.Map(lambda keys: (tmp_path / "keys").write_text("\n".join(keys)))

    numbers: dict[str, list[int]] = {"0": [], "1": []}
    for line in (tmp_path / "keys").read_text().splitlines():
        worker, number = line.split()
        numbers[worker].append(int(number))
    for counted in numbers.values():
        assert len(counted) == max(counted) + 1 > 1000


@pytest.mark.parametrize(
    "transform",
    [OpenDocuments(), ReadPages(load_fake_reader), ReadPictures(None, None), Predict(None, None)],
    ids=lambda transform: type(transform).__name__,
)
def test_every_transform_that_yields_many_elements_guards_them(transform, monkeypatch):
    monkeypatch.setattr(worker_handlers, "DATA_BUFFER_TIME_LIMIT_MS", 1000)

    beam.Pipeline(FnApiRunner()) | beam.Create([]) | transform

    assert worker_handlers.DATA_BUFFER_TIME_LIMIT_MS == 0


def _refuse(model: str) -> None:
    raise UsageError(f"{model}: refused")


def test_error_of_ours_on_a_worker_is_told_in_its_own_words_alone(capsys):
    pipeline = make_pipeline(BeamOptions(workers=1))
    pipeline | beam.Create(["evil/graph.pb"]) | beam.Map(_refuse)

    with pytest.raises(PagebeamError, match=r"^the run failed: evil/graph\.pb: refused$"):
        run_pipelines([pipeline])

    assert "Traceback" not in capsys.readouterr().err
