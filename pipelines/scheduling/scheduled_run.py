"""What every scheduler's unit is made from: the command, and what its exit statuses mean to a scheduler."""

from __future__ import annotations

from dataclasses import dataclass

from ocr_models.errors import ExitStatus

RESERVATIONS = (int(ExitStatus.SOME_FAILED), int(ExitStatus.DEADLINE))
"""Exit statuses of runs that did what they were asked to: some pages failed, or are left for the next run."""
POINTLESS = (int(ExitStatus.USAGE), int(ExitStatus.GATE))
"""Exit statuses that a retry can't change: the command is wrong, or the pages that were read exceed a gate."""
STOPPED = 143
"""Exit status after SIGTERM, by which schedulers stop a run."""

STOP_S = 300
"""Seconds between SIGTERM and SIGKILL. A run needs some seconds, a slow file system perhaps a minute."""
RETRIES = 2

# In a container, where every status but 0 is a failure. As process 1, a shell gets SIGTERM only if it traps it; the
# trap ends the first wait early. It may come at once: the run is named by $!, which is set as soon as it is started.
_IN_SHELL = """\
trap 'kill -TERM "$!"' TERM
"$@"%s &
run=$!
wait "$run"; status=$?
while kill -0 "$run" 2>/dev/null; do wait "$run"; status=$?; done
case $status in %s) echo "exit status $status: some pages failed (3), or are left for the next run (6)"; exit 0;; esac
exit "$status"
"""


@dataclass(frozen=True)
class ScheduledRun:
    """A checked ``pagebeam run``.

    Attributes:
        name: the name of the unit: lower-case letters, digits and hyphens.
        words: the program and its arguments, with absolute paths.
        inputs: files, folders and globs that are read: absolute paths or URIs.
        output: the output folder: an absolute path or a URI.
        is_strict: whether ``RESERVATIONS`` are failures.
    """

    name: str
    words: tuple[str, ...]
    inputs: tuple[str, ...]
    output: str
    is_strict: bool

    @property
    def successes(self) -> tuple[int, ...]:
        """The exit statuses other than 0 that are successes."""
        return () if self.is_strict else RESERVATIONS

    def in_shell(self, more: str = "") -> str:
        """A shell script that runs its arguments, and more words, and exits with 0 for ``successes``."""
        return _IN_SHELL % (more, "|".join(map(str, self.successes or (0,))))

    @property
    def final_failures(self) -> tuple[int, ...]:
        """The exit statuses that are failures without a retry."""
        return tuple(sorted((*POINTLESS, *RESERVATIONS))) if self.is_strict else POINTLESS
