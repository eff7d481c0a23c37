"""Requests that do to a decoding process what hostile documents do."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Crash:
    stage = "render"

    def answer(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


@dataclass(frozen=True)
class Hang:
    stage = "render"

    def answer(self) -> None:
        time.sleep(3600)


@dataclass(frozen=True)
class Devour:
    stage = "decode"

    def answer(self) -> int:
        return int(np.ones(8 << 30, np.uint8).sum())


@dataclass(frozen=True)
class ListModules:
    stage = "open"

    def answer(self) -> list[str]:
        import sys

        return sorted(sys.modules)
