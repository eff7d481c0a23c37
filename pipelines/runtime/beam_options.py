"""What a pipeline runs on. Loads no Beam, so that the command's help is quick."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

LOCAL_RUNNER = "FnApiRunner"


@dataclass(frozen=True, kw_only=True)
class BeamOptions:
    """What a pipeline runs on.

    Attributes:
        workers: threads of the local runner, or processes where ``beam_args`` ask for them.
        runner: Beam's name for a runner.
        beam_args: all other options, for Beam.
    """

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    runner: str = LOCAL_RUNNER
    beam_args: list[str] = field(default_factory=list)
