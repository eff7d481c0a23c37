"""One line for a user's crontab.

Sources: crontab(5) of Debian's cron and of cronie, and the loop over the command in ``do_command.c`` of both: it is cut
at the first "%" that has no "\\" before it, and of "\\%" the backslash is dropped.
"""

from __future__ import annotations

import re
import shlex

from ocr_models.errors import UsageError
from pipelines.scheduling.scheduled_run import ScheduledRun

_MOST_BYTES = 998  # of the command, in Debian's cron; cronie's limit is 131,072


def crontab_file(run: ScheduledRun, fields: str, log: str | None) -> dict[str, str]:
    """The text of the file by its name.

    Args:
        run: the command.
        fields: the five fields of cron.
        log: absolute path of a file that the output is appended to; None to have cron mail it.

    Raises:
        UsageError: the command can't be in a crontab.
    """
    command = crontab_command(run, log)
    if not command.isprintable():
        raise UsageError("a crontab can't hold names with line breaks or control characters; use another scheduler")
    if len(command.encode()) > _MOST_BYTES:
        raise UsageError(
            f"the command has {len(command.encode())} bytes, but some crons allow {_MOST_BYTES}; give a folder instead "
            "of many files, or use another scheduler"
        )
    lines = [
        f"# {run.name}.crontab: add these lines with crontab -e. Times are those of the machine.",
        "# No flock: a second run at once notices the first by the lock in the output folder, and exits with 5.",
        "# Cron doesn't look at exit statuses. It mails what is printed: "
        + ("a line if the run failed." if log else "the summary of every run."),
        f"{fields} {command}",
    ]
    return {f"{run.name}.crontab": "".join(f"{line}\n" for line in lines)}


def crontab_command(run: ScheduledRun, log: str | None) -> str:
    """The sixth field: the command for ``sh``, escaped for cron."""
    command = shlex.join(run.words)
    if log:
        command += f" >> {shlex.quote(log)} 2>&1 || {_tell_failure(run, log)}"
    # Backslashes stand within single quotes, which are closed and opened again after a backslash that another one or a
    # percent sign follows: cron must not take the pair for an escaped character.
    command = re.sub(r"\\(?=[\\%])", r"\\''", command)
    return command.replace("%", r"\%")


def _tell_failure(run: ScheduledRun, log: str) -> str:
    """Prints a line for cron to mail, unless the exit status is a success."""
    told = f'echo "exit status $s, see" {shlex.quote(log)}'
    quiet = f"{'|'.join(map(str, run.successes))}) ;; " if run.successes else ""
    return f"{{ s=$?; case $s in {quiet}*) {told};; esac; }}"
