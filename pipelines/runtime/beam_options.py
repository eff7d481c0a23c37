"""Options for running a pipeline. This module doesn't import Beam, so that the command's help is quick."""

from __future__ import annotations

from dataclasses import dataclass, field

LOCAL_RUNNER = "FnApiRunner"


@dataclass(frozen=True, kw_only=True)
class BeamOptions:
    """How a pipeline is run.

    Attributes:
        workers: number of threads of the local runner, or of processes if ``beam_args`` ask for them; None: one per
            core.
        runner: name of a Beam runner.
        beam_args: all other options, which are passed to Beam.
    """

    workers: int | None = None
    runner: str = LOCAL_RUNNER
    beam_args: list[str] = field(default_factory=list)
