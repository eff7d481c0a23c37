"""Creates pipelines on a runner, keeps Beam from losing their elements, and runs them."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, worker_handlers
from apache_beam.runners.runner import PipelineResult
from apache_beam.runners.worker import sdk_worker

from ocr_models.errors import LockedError, PagebeamError, UsageError
from ocr_models.limits import cores
from ocr_models.terminal import tell
from pipelines.runtime import progress
from pipelines.runtime.beam_options import LOCAL_RUNNER, BeamOptions
from pipelines.runtime.storage import OutputError
from pipelines.runtime.worker_processes import guarded

# The last line of a worker's error of ours, in which Beam names its class, or wraps it, and adds the step.
_OWN_ERROR = re.compile(
    r"(?:[\w.]+: )*?(?:[\w.]+\.)?(OutputError|LockedError|StorageError|PagebeamError|UsageError): "
    r"(.*?)(?: \[while running '.*'\])?"
)


def make_pipeline(options: BeamOptions) -> beam.Pipeline:
    """An empty pipeline for the runner in the options.

    The local runner is FnApiRunner and not Beam's DirectRunner, which picks one of three engines depending on the
    graph. Its workers are threads, which share one copy of the models, unless ``--direct_running_mode`` says otherwise.

    Raises:
        UsageError: the runner isn't available, or the local runner doesn't know an option.
    """
    if options.runner != LOCAL_RUNNER:
        try:
            return beam.Pipeline(options.runner, PipelineOptions(options.beam_args))
        except (ValueError, ImportError) as error:  # Beam says what is missing
            raise UsageError(f"can't run on {options.runner}: {error}") from error
    if unknown := unknown_arguments(options.beam_args):
        raise UsageError(f"unknown option {', '.join(unknown)}; see the command's --help")
    defaults = [
        "--direct_running_mode=multi_threading",
        f"--direct_num_workers={options.workers or cores()}",
    ]
    return beam.Pipeline(FnApiRunner(), options=PipelineOptions([*defaults, *options.beam_args]))


def keep_all_elements() -> None:
    """Keeps Beam's local runner from losing elements, in the whole process.

    Beam 2.77 also flushes its workers' buffers from a timer, without waiting for an element that is being written to
    them: stages that yielded many elements for more than a second lost or corrupted some (4 of 6,000 pages of 20 kB).
    A limit of 0 means that buffers are flushed by size alone. Every transform of ours that yields pages, rows or
    pictures calls this when it is applied, so that a host program's pipelines are guarded too.
    """
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0


def run_pipelines(pipelines: Iterable[beam.Pipeline], unit: str = "page", counts: Counter[str] | None = None) -> None:
    """Runs pipelines on one runner, one after the other, until all have finished, showing progress on stderr.

    Args:
        pipelines: the pipelines; each is asked for when the one before has finished.
        unit: what they count, in the singular.
        counts: what is counted from the beginning, see ``pipelines.runtime.progress``.

    Raises:
        PagebeamError: one failed.
    """
    counts = counts or Counter()
    try:
        remaining = iter(pipelines)
        pipeline = next(remaining)
        if isinstance(pipeline.runner, FnApiRunner):  # its run() returns when everything is done
            progress.start_counting(counts)
            with (
                _without_tracebacks(),
                guarded(local_job_service, pipeline.options.view_as(DirectOptions).direct_num_workers),
                progress.counting_processes(),
                progress.ProgressBar(progress.local_counts, unit),
            ):
                for each in itertools.chain([pipeline], remaining):
                    each.run()
            return
        for each in itertools.chain([pipeline], remaining):
            with _without_repetitions():
                result = each.run()
                with (
                    _cancelling(result),
                    progress.ProgressBar(functools.partial(_counts_of, result, counts), unit),
                ):
                    result.wait_until_finish()
    except PagebeamError:
        raise
    except Exception as error:  # runners pass a worker's error on as text, after its traceback
        text = str(error).strip() or repr(error)
        own_error = _OWN_ERROR.fullmatch(text.splitlines()[-1])
        if own_error:
            kind = {"OutputError": OutputError, "LockedError": LockedError}.get(own_error[1], PagebeamError)
            raise kind(f"the run failed: {own_error[2]}") from error
        for line in text.splitlines():
            tell(line, logging.ERROR, "traceback")
        raise PagebeamError(f"the run failed: {text.splitlines()[-1]}") from error


def _counts_of(result: PipelineResult, counts: Counter[str]) -> Counter[str]:
    return counts + progress.metric_counts(result)


@contextlib.contextmanager
def _cancelling(result: PipelineResult) -> Iterator[None]:
    """Cancels a job, which would go on by itself, if Ctrl-C or SIGTERM ends the ``with`` block."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):  # each runner has its own kinds of errors; the job may have ended
            result.cancel()
        raise


@contextlib.contextmanager
def _without_repetitions() -> Iterator[None]:
    """Keeps engines from logging the traceback of an error up to four times; the error is raised as well.

    With ``--log-level debug`` all is shown.
    """
    if not logging.getLogger().isEnabledFor(logging.INFO):
        logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Keeps Beam's local workers from printing the traceback of an error, which the runner raises as well."""
    vars(sdk_worker)["print"] = lambda *values, **options: None
    try:
        yield
    finally:
        del vars(sdk_worker)["print"]


def unknown_arguments(beam_args: list[str]) -> list[str]:
    """The options that Beam doesn't know, and would ignore, and other strays. Other runners may have more options."""
    known = PipelineOptions(beam_args).get_all_options()
    given = PipelineOptions(beam_args).get_all_options(retain_unknown_options=True)
    unknown = [f"--{name}" for name in given if name not in known]
    strays = [text for before, text in itertools.pairwise(["", *beam_args]) if not (before + text).startswith("-")]
    return unknown + strays
