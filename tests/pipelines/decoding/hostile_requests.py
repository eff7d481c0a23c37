"""Requests that do to a decoding process what hostile documents do."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from ocr_models.io.images import PageImage
from pipelines.decoding.child import RenderPage


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
class SayAndHang:
    """Reports flaws for ever, more than a pipe holds."""

    stage = "render"

    def answer(self) -> None:
        while True:
            os.write(2, b"a flaw\n" * 1000)


@dataclass(frozen=True)
class Abort:
    """Ends as C and C++ libraries do if an assertion fails, or memory can't be had."""

    words: str
    stage = "decode"

    def answer(self) -> None:
        os.write(2, self.words.encode())
        os.abort()


@dataclass(frozen=True)
class DieOf:
    signum: int
    stage = "open"

    def answer(self) -> None:
        os.kill(os.getpid(), self.signum)


@dataclass(frozen=True)
class SlowPage:
    """A page that takes a while."""

    page: RenderPage
    stage = "render"

    def answer(self) -> PageImage:
        time.sleep(0.1)
        return self.page.answer()


@dataclass(frozen=True)
class Devour:
    stage = "decode"

    def answer(self) -> int:
        return int(np.ones(8 << 30, np.uint8).sum())


@dataclass(frozen=True)
class FillMemory:
    """Has an answer that fits, but no copy of it."""

    stage = "decode"

    def answer(self) -> bytes:
        return bytes(5 << 28)


@dataclass(frozen=True)
class ListModules:
    stage = "open"

    def answer(self) -> list[str]:
        import sys

        return sorted(sys.modules)
