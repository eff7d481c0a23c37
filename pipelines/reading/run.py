"""A run: what is new at the inputs is read, and becomes part of the output.

This module doesn't import Beam, which is loaded when there are pages to read.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

from ocr_models.errors import PagebeamError, Terminated
from ocr_models.terminal import tell
from pipelines.output.commit import commit_briefly, commit_nothing, commit_run, take_over
from pipelines.output.lock import Holder, locked, locked_part
from pipelines.output.output_folder import (
    check_layout,
    finish_commit,
    pending_commit,
    remove_unfinished,
    unfinished_folder,
)
from pipelines.output.parts import array_id
from pipelines.output.recovery import recover
from pipelines.output.run_manifest import RunDescription, Totals, write_description
from pipelines.output.shards import has_shards
from pipelines.reading.plan import Plan, Planner
from pipelines.reading.run_options import RunOptions
from pipelines.runtime.quick_start import uncollected
from pipelines.runtime.stopping import StopFile
from pipelines.runtime.storage import absolute_uri, check_writable, join
from pipelines.runtime.worker_processes import kill_worker_processes

DEADLINE, INTERRUPTED, TERMINATED = "deadline", "SIGINT", "SIGTERM"
"""Why a run stops before all pages are read, as its manifest says it."""
_FINISHING = "pagebeam: finishing the pages under way; once more to stop at once"


def run(options: RunOptions, before_reading: Callable[[Plan], None] = lambda plan: None) -> dict[str, Any]:
    """Reads all pages at the inputs that aren't known yet, and commits them.

    Args:
        options: the options of the run.
        before_reading: called with the plan when there are pages to read, which takes some seconds to begin.

    Returns:
        The run's manifest.

    Raises:
        UsageError: before any work: no documents at an input, an output that can't be written, an unknown option, a
            broken model.
        LockedError: another run writes to the output.
        PagebeamError: the run ended without all of its rows. What it has read is kept, and the next run goes on.
    """
    models = options.find_models()
    output = absolute_uri(options.output)
    check_writable(output)
    check_layout(output, options.table)
    description = RunDescription(
        inputs=options.inputs,
        table=options.table,
        options=options.as_json(),
        models={role: {"id": bundle.id, "digest": bundle.digest} for role, bundle in models.items()},
        reader_id=options.reader_id(models),
        part=options.part,
        array=array_id() if options.part else None,
    )
    with _begun(options, output, description) as planner:
        return _run(options, output, description, planner, before_reading)


@contextlib.contextmanager
def _begun(options: RunOptions, output: str, run: RunDescription) -> Iterator[Planner]:
    """Holds the lock of the output, or that of a part, within the ``with`` block, for which all is ready to plan."""
    planners, listed = [], options.input_list

    def begin() -> None:
        finish_commit(output)
        if mended := str(recover(output, run.table, run.run_id, counts_rows=run.part is None)):
            tell(f"pagebeam: {output}: {mended}", logging.WARNING, "recovered")
        for manifest in take_over(output, run.run_id):
            pages = f"{manifest['pages']['expected']:,} pages"
            what = f"pagebeam: took over {pages} of run {manifest['run_id']}, which was cut off"
            tell(what, event="taken over", run_id=manifest["run_id"])
        planners.append(Planner(run.inputs, output, run.table, run.reader_id, options.rereading, listed, run.part))

    if run.part:
        with locked_part(output, run.run_id, run.part, begin, options.wait, _say_waiting):
            yield planners[0]
        return
    with locked(output, run.run_id, options.wait, _say_waiting):
        begin()
        yield planners[0]


def _run(
    options: RunOptions,
    output: str,
    run: RunDescription,
    planner: Planner,
    before_reading: Callable[[Plan], None],
) -> dict[str, Any]:
    stop = StopFile(join(output, f"{unfinished_folder(run.run_id)}/stop"))
    try:
        write_description(output, run)
        plan = planner.plan(run.run_id)
        run = replace(run, found=plan.found)
        if plan.is_empty:
            remove_unfinished(output, run.run_id)
            return commit_nothing(output, run)
        write_description(output, run)
        if not plan.found.to_open:
            return (commit_briefly if run.part else commit_run)(output, run, [], Totals())
        before_reading(plan)
        with uncollected():
            from pipelines.reading.pipeline import read_plan  # loads Beam

        with _stopping(stop, options.deadline_s):
            return read_plan(options, output, run, plan, stop)
    except BaseException:
        with contextlib.suppress(PagebeamError, OSError):  # the run's own error matters more
            if pending_commit(output) is None and not has_shards(output, run.run_id):
                remove_unfinished(output, run.run_id)
        raise


@contextlib.contextmanager
def _stopping(stop: StopFile, deadline_s: float | None) -> Iterator[None]:
    """Within the ``with`` block, asks the run to stop at the deadline, and at the first Ctrl-C or SIGTERM.

    The second signal ends it at once, as does the first if the request can't be written.
    """
    stopping: list[int] = []
    timer = threading.Timer(deadline_s, stop.ask, (DEADLINE,)) if deadline_s else None
    names = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}

    def handle(signum: int, frame: FrameType | None) -> None:
        with contextlib.suppress(PagebeamError, OSError):
            if not stopping:
                stop.ask(names[signal.Signals(signum)])
                stopping.append(signum)
                tell(_FINISHING, event="stopping")
                return
        kill_worker_processes()
        raise Terminated if signum == signal.SIGTERM else KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    before = {signum: signal.signal(signum, handle) for signum in names} if is_main else {}
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        if timer:
            timer.cancel()
        for signum, previous in before.items():
            signal.signal(signum, previous)


def _say_waiting(holder: Holder) -> None:
    tell(f"pagebeam: waiting for {holder}", event="waiting", run_id=holder.run_id)
